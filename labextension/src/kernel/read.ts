/** Read the kernel's messages: what comes over a comm is not trusted to have the shape it should. */

import { readFinding } from '../diagnostics/protocol.js';
import type {
  DeploymentState,
  ExampleRow,
  Failure,
  Figure,
  FigureKind,
  FilterState,
  Hello,
  ImageDetails,
  ImagePage,
  ImageRow,
  LogEntry,
  News,
  Questions,
  Reply,
  VersionRow
} from './messages.js';

type Fields = Readonly<Record<string, unknown>>;

const KINDS: readonly FigureKind[] = ['send', 'bench', 'verify', 'push', 'deploy'];

/** Turns a question's answer into its type; what is missing becomes empty. */
export const ANSWERS: { readonly [Name in keyof Questions]: (value: unknown) => Questions[Name]['answer'] } = {
  hello: readHello,
  deployments: value => list(value, readDeployment),
  log: value => list(value, readEntry),
  versions: value => list(value, readVersion),
  rollback: value => list(value, readDeployment),
  undeploy: value => list(value, readDeployment),
  images: readPage,
  image: readDetails,
  examples: value => list(value, readExample),
  example: text
};

/** The first message. */
export function readHello(value: unknown): Hello {
  const from = fields(value);
  return { protocol: number(from.protocol), version: text(from.version), filters: list(from.filters, readFilter) };
}

/** A message of a kernel that has been heard before; null where it is of a kind that this version does not know. */
export function readMessage(value: unknown): News | Reply | null {
  const from = fields(value);
  if (from.news === 'filters') {
    return { news: 'filters', filters: list(from.filters, readFilter) };
  }
  if (typeof from.id === 'string') {
    const error = from.error === null || from.error === undefined ? null : readFailure(from.error);
    return { id: from.id, result: from.result, error };
  }
  return null;
}

function readFilter(value: unknown): FilterState {
  const from = fields(value);
  return {
    name: text(from.name),
    language: text(from.language),
    line: text(from.line),
    source: text(from.source),
    digest: text(from.digest),
    size: number(from.size),
    error: text(from.error),
    findings: list(from.findings, readFinding).filter(each => each !== null),
    figures: list(from.figures, readFigure).filter(each => each !== null)
  };
}

function readFigure(value: unknown): Figure | null {
  const from = fields(value);
  const kind = KINDS.find(each => each === from.kind);
  return kind === undefined
    ? null
    : { kind, digest: text(from.digest), ok: from.ok === true, text: text(from.text) };
}

function readFailure(value: unknown): Failure {
  const from = fields(value);
  return { what: text(from.what), where: text(from.where), do: text(from.do) };
}

function readDeployment(value: unknown): DeploymentState {
  const from = fields(value);
  return {
    name: text(from.name),
    target: text(from.target),
    place: text(from.place),
    state: text(from.state),
    url: text(from.url),
    digest: text(from.digest),
    version: number(from.version),
    since: text(from.since),
    requests: number(from.requests),
    errors: number(from.errors),
    told: list(from.told, text)
  };
}

function readVersion(value: unknown): VersionRow {
  const from = fields(value);
  return { version: number(from.version), at: text(from.at), digest: text(from.digest), note: text(from.note) };
}

function readEntry(value: unknown): LogEntry {
  const from = fields(value);
  return { level: text(from.level), message: text(from.message) };
}

function readPage(value: unknown): ImagePage {
  const from = fields(value);
  return {
    text: text(from.text),
    total: number(from.total),
    offset: number(from.offset),
    images: list(from.images, readRow),
    problems: list(from.problems, readFailure)
  };
}

function readRow(value: unknown): ImageRow {
  const from = fields(value);
  return {
    reference: text(from.reference),
    name: text(from.name),
    description: text(from.description),
    language: text(from.language),
    size: number(from.size),
    created: text(from.created),
    signed: from.signed === true
  };
}

function readExample(value: unknown): ExampleRow {
  const from = fields(value);
  return {
    name: text(from.name),
    title: text(from.title),
    description: text(from.description),
    languages: list(from.languages, text)
  };
}

function readDetails(value: unknown): ImageDetails {
  const from = fields(value);
  return {
    reference: text(from.reference),
    name: text(from.name),
    description: text(from.description),
    facts: list(from.facts, readPair),
    readme: text(from.readme),
    verdicts: list(from.verdicts, readPair),
    cell: text(from.cell),
    trial: text(from.trial),
    schema: text(from.schema),
    source: text(from.source)
  };
}

function readPair(value: unknown): [string, string] {
  const [name, told] = Array.isArray(value) ? (value as unknown[]) : [];
  return [text(name), text(told)];
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function list<T>(value: unknown, read: (each: unknown) => T): T[] {
  return Array.isArray(value) ? value.map(each => read(each)) : [];
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}
