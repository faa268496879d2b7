/** What the kernel says about a source: the bundle it displays beside an error. */

export const DIAGNOSTICS_MIME = 'application/vnd.wasmhub.diagnostics.v1+json';

export type Severity = 'error' | 'warning' | 'note';

/**
 * One message about one place. Lines and columns count from 1, lines in the cell, columns in characters. The end
 * is 0 where only a point is named, the column is 0 where only a line is, the line where no place is named.
 */
export interface Finding {
  readonly severity: Severity;
  readonly message: string;
  readonly line: number;
  readonly column: number;
  readonly end_line: number;
  readonly end_column: number;
  readonly code: string;
}

/** Findings, and the digest of the source that they are about. */
export interface Findings {
  readonly diagnostics: readonly Finding[];
  readonly source: string;
}

/** The findings in an output's data; null where it has none, or none that this version can read. */
export function readFindings(data: { readonly [mime: string]: unknown }): Findings | null {
  const bundle = data[DIAGNOSTICS_MIME];
  if (!isRecord(bundle) || typeof bundle.source !== 'string' || !Array.isArray(bundle.diagnostics)) {
    return null;
  }
  return { diagnostics: bundle.diagnostics.map(readFinding).filter(each => each !== null), source: bundle.source };
}

/** One finding; null where it has no message. */
export function readFinding(value: unknown): Finding | null {
  if (!isRecord(value) || typeof value.message !== 'string') {
    return null;
  }
  return {
    severity: value.severity === 'warning' || value.severity === 'note' ? value.severity : 'error',
    message: value.message,
    line: count(value.line),
    column: count(value.column),
    end_line: count(value.end_line),
    end_column: count(value.end_column),
    code: typeof value.code === 'string' ? value.code : ''
  };
}

function count(value: unknown): number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
