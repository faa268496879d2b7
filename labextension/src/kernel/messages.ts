/**
 * What the kernel and the extension say to each other. The kernel's side of it is `notebook/messages.py`; a test
 * compares the two.
 */

import type { Finding } from '../diagnostics/protocol.js';

/** Grows when an older side could no longer read what is sent. */
export const PROTOCOL = 2;

/** The name under which the kernel opens its comm. */
export const TARGET = 'wasmhub';

/** What a figure is about. */
export type FigureKind = 'send' | 'bench' | 'verify' | 'push' | 'deploy';

/** The last result of one kind, in a few words; `digest` is the module that it is about. */
export interface Figure {
  readonly kind: FigureKind;
  readonly digest: string;
  readonly ok: boolean;
  readonly text: string;
}

/**
 * A filter of the session. `line` is what followed the magic's name in the cell that was built last, `source` the
 * digest of its body. `digest` is that of the last module that came out of it; `error` says why the last build
 * failed, `findings` where a run of this source did.
 */
export interface FilterState {
  readonly name: string;
  readonly language: string;
  readonly line: string;
  readonly source: string;
  readonly digest: string;
  readonly size: number;
  readonly error: string;
  readonly findings: readonly Finding[];
  readonly figures: readonly Figure[];
}

/** The first message of a kernel. */
export interface Hello {
  readonly protocol: number;
  readonly version: string;
  readonly filters: readonly FilterState[];
}

/** An error, in its parts. */
export interface Failure {
  readonly what: string;
  readonly where: string;
  readonly do: string;
}

/** What names a deployment among all others. */
export interface DeploymentName {
  readonly name: string;
  readonly target: string;
}

/** A deployment as its proxy or cluster tells it now; `told` is what its controller says about it. */
export interface DeploymentState {
  readonly name: string;
  readonly target: string;
  readonly place: string;
  readonly state: string;
  readonly url: string;
  readonly digest: string;
  readonly version: number;
  readonly since: string;
  readonly requests: number;
  readonly errors: number;
  readonly told: readonly string[];
}

/** A version of a deployment; `note` says why it came about, where nobody deployed it. */
export interface VersionRow {
  readonly version: number;
  readonly at: string;
  readonly digest: string;
  readonly note: string;
}

/** A line that a deployed filter logged. */
export interface LogEntry {
  readonly level: string;
  readonly message: string;
}

/** An image in a list. */
export interface ImageRow {
  readonly reference: string;
  readonly name: string;
  readonly description: string;
  readonly language: string;
  readonly size: number;
  readonly created: string;
  readonly signed: boolean;
}

/** A part of what was found: `total` images, of which these begin at `offset`. */
export interface ImagePage {
  readonly text: string;
  readonly total: number;
  readonly offset: number;
  readonly images: readonly ImageRow[];
  readonly problems: readonly Failure[];
}

/** A filter that comes with the package, in several languages. */
export interface ExampleRow {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly languages: readonly string[];
}

/**
 * All that is known of an image; `facts` and `verdicts` are pairs of a word and a value, `readme` is Markdown. `cell`
 * is what to write in a notebook to use it, `source` the text it was built from, where that was published.
 */
export interface ImageDetails {
  readonly reference: string;
  readonly name: string;
  readonly description: string;
  readonly facts: readonly (readonly [string, string])[];
  readonly readme: string;
  readonly verdicts: readonly (readonly [string, string])[];
  readonly cell: string;
  readonly trial: string;
  readonly schema: string;
  readonly source: string;
}

/** Every question: what goes with it, and what it is answered with. */
export interface Questions {
  readonly hello: { readonly given: object; readonly answer: Hello };
  readonly deployments: { readonly given: object; readonly answer: readonly DeploymentState[] };
  readonly log: { readonly given: DeploymentName; readonly answer: readonly LogEntry[] };
  readonly versions: { readonly given: DeploymentName; readonly answer: readonly VersionRow[] };
  readonly rollback: {
    readonly given: DeploymentName & { readonly to: number };
    readonly answer: readonly DeploymentState[];
  };
  readonly undeploy: { readonly given: DeploymentName; readonly answer: readonly DeploymentState[] };
  readonly images: {
    readonly given: { readonly text: string; readonly offset: number; readonly limit: number };
    readonly answer: ImagePage;
  };
  readonly image: { readonly given: { readonly reference: string }; readonly answer: ImageDetails };
  readonly examples: { readonly given: object; readonly answer: readonly ExampleRow[] };
  readonly example: { readonly given: { readonly name: string; readonly language: string }; readonly answer: string };
}

/** The answer to a question: a result, or the error in its place. */
export interface Reply {
  readonly id: string;
  readonly result: unknown;
  readonly error: Failure | null;
}

/** All filters, after one of them has changed. */
export interface News {
  readonly filters: readonly FilterState[];
  readonly news: 'filters';
}
