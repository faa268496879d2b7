import { EditorState } from '@codemirror/state';
import { type DecorationSet, EditorView } from '@codemirror/view';
import { describe, expect, it } from 'vitest';

import { type Mark, setMarks, showing } from '../src/diagnostics/shown.js';

const DOC = 'one two\nthree';

function shown(state: EditorState): string[] {
  const all: string[] = [];
  for (const set of state.facet(EditorView.decorations)) {
    (set as DecorationSet).between(0, state.doc.length, (from, to, { spec }) => {
      const { marks } = spec as { marks: readonly Mark[] };
      all.push(`${state.sliceDoc(from, to)}@${from} ${spec.class ?? 'a point'}: ${marks.map(each => each.message).join(', ')}`);
    });
  }
  return all;
}

function mark(from: number, to: number, message: string, severity: Mark['severity'] = 'error'): Mark {
  return { from, to, message, severity };
}

describe('marks', () => {
  const empty = EditorState.create({ doc: DOC, extensions: showing });
  const marked = empty.update(
    setMarks([mark(7, 7, 'an end'), mark(4, 7, 'a word', 'info'), mark(4, 7, 'the same word', 'warning')])
  ).state;
  it('of one place are one, as bad as the worst, and a place without width is a point', () => {
    expect(shown(marked)).toEqual(['two@4 wh-mark wh-mark-warning: a word, the same word', '@7 a point: an end']);
  });
  it('move with the source', () => {
    expect(shown(marked.update({ changes: { from: 0, insert: 'x' } }).state)[0]).toMatch(/^two@5/);
  });
  it('are those that were set last', () => {
    expect(shown(marked.update(setMarks([])).state)).toEqual([]);
  });
});
