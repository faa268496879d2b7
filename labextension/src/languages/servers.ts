/** What language servers get to see of a filter cell. */

import type { IForeignCodeExtractor } from '@jupyterlab/lsp';
import { Text } from '@codemirror/state';

import { magicLineOf } from './magicLine.js';

/**
 * The cell with each character of its body replaced: nothing is moved, and nothing is left to complete or to find
 * fault with. A server would take the body for Python, whose names it offers in strings of more than one line, too.
 */
export function withoutBody(source: string): string {
  const magic = magicLineOf(Text.of(source.split('\n')));
  return magic === null ? source : source.slice(0, magic.to) + source.slice(magic.to).replace(/./gu, each => '_'.repeat(each.length));
}

/** Shows servers of the notebook's language that much. Nothing is shown to servers of other languages. */
export const bodiesKept: IForeignCodeExtractor = {
  language: 'wasm-filter',
  fileExtension: 'txt',
  standalone: false,
  cellType: ['code'],
  hasForeignCode: (source, type) => type === 'code' && magicLineOf(Text.of(source.split('\n'))) !== null,
  extractForeignCode: source => {
    const lines = source.split('\n');
    const end = { line: lines.length - 1, column: lines[lines.length - 1]?.length ?? 0 };
    return [
      {
        hostCode: withoutBody(source),
        foreignCode: null,
        range: { start: { line: 0, column: 0 }, end },
        virtualShift: null
      }
    ];
  }
};
