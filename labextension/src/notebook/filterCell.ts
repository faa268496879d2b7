/** A filter's cell as text, and how it stands to what the kernel has built: no editor, no notebook. */

import { Text } from '@codemirror/state';

import { sourceDigest } from '../diagnostics/digest.js';
import type { Figure, FilterState } from '../kernel/messages.js';
import { magicLineOf } from '../languages/magicLine.js';

/** What a cell says: the filter's name, its magic line without the magic's name, and the digest of its body. */
export interface FilterCell {
  readonly name: string;
  readonly line: string;
  readonly source: string;
  /** The language of the body; empty where the line names none that there is. */
  readonly language: string;
}

/** How a cell stands: never built; built as it is; changed since; as it is, it does not build or run; it serves. */
export type CellState = 'unbuilt' | 'built' | 'stale' | 'failing' | 'deployed';

/** The name of a filter whose cell names none. */
const UNNAMED = 'filter';

/** What a document says as a filter's cell; null where it is none. */
export function readFilterCell(source: Text): FilterCell | null {
  const magic = magicLineOf(source);
  if (magic === null) {
    return null;
  }
  const head = source.sliceString(0, magic.to);
  const word = magic.words.find(each => each.kind === 'name');
  return {
    name: word === undefined ? UNNAMED : head.slice(word.from, word.to).replace(/^(["'])(.*)\1$/, '$2'),
    line: head.slice(magic.words[0]?.to ?? 0).trim(),
    source: sourceDigest(source.sliceString(magic.to + 1)),
    language: magic.language?.name ?? ''
  };
}

/** The same for text. */
export function readFilterText(source: string): FilterCell | null {
  return /^\s*%%wasm_filter\b/.test(source) ? readFilterCell(Text.of(source.split('\n'))) : null;
}

/** How a cell stands to what the kernel knows of the filter of its name; null where it knows nothing. */
export function stateOf(cell: FilterCell, filter: FilterState | null): CellState {
  if (filter === null) {
    return 'unbuilt';
  }
  if (filter.source !== cell.source || filter.line !== cell.line) {
    return 'stale';
  }
  if (filter.error !== '' || filter.findings.length > 0) {
    return 'failing';
  }
  const serving = figureOf(filter, 'deploy');
  return serving !== null && serving.digest === filter.digest ? 'deployed' : 'built';
}

/** The last figure of a kind; null where there is none. */
export function figureOf(filter: FilterState, kind: Figure['kind']): Figure | null {
  return filter.figures.find(each => each.kind === kind) ?? null;
}
