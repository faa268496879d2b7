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
type Read<T> = (value: unknown) => T;

const KINDS: readonly FigureKind[] = ['send', 'bench', 'verify', 'push', 'deploy'];

const readFilter = record<FilterState>({
  name: text,
  language: text,
  line: text,
  source: text,
  digest: text,
  size: number,
  error: text,
  findings: some(readFinding),
  figures: some(readFigure)
});

const readFailure = record<Failure>({ what: text, where: text, do: text });

const readDeployments = list(
  record<DeploymentState>({
    name: text,
    target: text,
    place: text,
    state: text,
    url: text,
    digest: text,
    version: number,
    since: text,
    requests: number,
    errors: number,
    told: list(text)
  })
);

/** The first message. */
export const readHello = record<Hello>({ protocol: number, version: text, filters: list(readFilter) });

/** Turns a question's answer into its type; what is missing becomes empty. */
export const ANSWERS: { readonly [Name in keyof Questions]: Read<Questions[Name]['answer']> } = {
  hello: readHello,
  deployments: readDeployments,
  log: list(record<LogEntry>({ level: text, message: text })),
  versions: list(record<VersionRow>({ version: number, at: text, digest: text, note: text })),
  rollback: readDeployments,
  undeploy: readDeployments,
  images: record<ImagePage>({
    text,
    total: number,
    offset: number,
    images: list(
      record<ImageRow>({
        reference: text,
        name: text,
        description: text,
        language: text,
        size: number,
        created: text,
        signed: flag
      })
    ),
    problems: list(readFailure)
  }),
  image: record<ImageDetails>({
    reference: text,
    name: text,
    description: text,
    facts: list(readPair),
    readme: text,
    verdicts: list(readPair),
    cell: text,
    trial: text,
    schema: text,
    source: text
  }),
  examples: list(record<ExampleRow>({ name: text, title: text, description: text, languages: list(text) })),
  example: text
};

/** A message of a kernel that has been heard before; null where it is of a kind that this version does not know. */
export function readMessage(value: unknown): News | Reply | null {
  const { news, filters, id, result, error } = fields(value);
  if (news === 'filters') {
    return { news, filters: list(readFilter)(filters) };
  }
  return typeof id === 'string' ? { id, result, error: error == null ? null : readFailure(error) } : null;
}

function readFigure(value: unknown): Figure | null {
  const { kind, digest, ok, text: told } = fields(value);
  const known = KINDS.find(each => each === kind);
  return known === undefined ? null : { kind: known, digest: text(digest), ok: flag(ok), text: text(told) };
}

function readPair(value: unknown): [string, string] {
  const [name, told] = Array.isArray(value) ? (value as unknown[]) : [];
  return [text(name), text(told)];
}

/** An object of which each field is read by its own function. */
function record<T extends object>(readers: { readonly [Name in keyof T]: Read<T[Name]> }): Read<T> {
  const names = Object.keys(readers) as (keyof T & string)[];
  return value => {
    const from = fields(value);
    return Object.fromEntries(names.map(name => [name, readers[name](from[name])])) as T;
  };
}

function list<T>(read: Read<T>): Read<T[]> {
  return value => (Array.isArray(value) ? value.map(each => read(each)) : []);
}

/** Those of a list that can be read at all. */
function some<T>(read: Read<T | null>): Read<T[]> {
  return value => list(read)(value).filter(each => each !== null);
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

function flag(value: unknown): boolean {
  return value === true;
}
