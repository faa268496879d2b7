/** From places as compilers name them to places in an editor. */

import type { Text } from '@codemirror/state';

import type { Finding } from './protocol.js';

/** Places in an editor count UTF-16 units from 0, over the whole document. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/**
 * Where a finding is marked. A point grows to the word or character that stands there, a line without a column
 * is marked from its first to its last character, and what has no place is marked on the first line.
 */
export function rangeOf(finding: Finding, source: Text): Range {
  const line = source.line(clamp(finding.line, 1, source.lines));
  if (finding.line !== line.number || finding.column === 0) {
    const text = line.text.trim();
    const from = line.from + Math.max(line.text.indexOf(text), 0);
    return { from, to: from + text.length };
  }
  const from = line.from + unitsOf(line.text, finding.column);
  if (finding.end_column > 0) {
    const end = source.line(clamp(finding.end_line || finding.line, line.number, source.lines));
    const to = end.from + unitsOf(end.text, finding.end_column);
    if (to > from) {
      return { from, to };
    }
  }
  const word = /^(?:[\p{L}\p{N}_]+|\S)/u.exec(line.text.slice(from - line.from));
  return { from, to: from + (word?.[0].length ?? 0) };
}

/** UTF-16 units before a column that counts characters from 1; never more than the line has. */
function unitsOf(line: string, column: number): number {
  let units = 0;
  let left = column - 1;
  for (const character of line) {
    if (left-- <= 0) {
      break;
    }
    units += character.length;
  }
  return units;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
