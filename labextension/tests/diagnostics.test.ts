import { createHash } from 'node:crypto';

import { Text } from '@codemirror/state';
import { describe, expect, it } from 'vitest';

import { sourceDigest } from '../src/diagnostics/digest.js';
import { findingsIn, marksFor } from '../src/diagnostics/findings.js';
import { rangeOf } from '../src/diagnostics/positions.js';
import { DIAGNOSTICS_MIME, type Finding, readFindings } from '../src/diagnostics/protocol.js';

const finding = (changes: Partial<Finding> = {}): Finding => ({
  severity: 'error',
  message: 'no such name',
  line: 0,
  column: 0,
  end_line: 0,
  end_column: 0,
  code: '',
  ...changes
});
const output = (bundle: unknown): { data: Record<string, unknown> } => ({ data: { [DIAGNOSTICS_MIME]: bundle } });

describe('a digest', () => {
  it.each(['', 'abc', 'é😀\n', 'x'.repeat(55), 'x'.repeat(56), 'x'.repeat(63), 'x'.repeat(64), 'long line\n'.repeat(5000)])(
    'is the SHA-256 of the source without the line feeds at its end',
    source => {
      const wanted = createHash('sha256').update(source.replace(/\n+$/, '')).digest('hex');
      expect(sourceDigest(source)).toBe(`sha256:${wanted}`);
      expect(sourceDigest(`${source}\n\n`)).toBe(`sha256:${wanted}`);
    }
  );
});

describe('a place', () => {
  const source = Text.of(['%%wasm_filter a', '    let é = "😀"; wrong()', '', '  x', 'end']);
  const marked = (changes: Partial<Finding>): string => {
    const { from, to } = rangeOf(finding(changes), source);
    return source.sliceString(from, to);
  };
  it('counts characters, not bytes or UTF-16 units', () => {
    expect(marked({ line: 2, column: 9, end_line: 2, end_column: 10 })).toBe('é');
    expect(marked({ line: 2, column: 18, end_line: 2, end_column: 23 })).toBe('wrong');
  });
  it('that is a point grows to the word that stands there', () => {
    expect(marked({ line: 2, column: 18 })).toBe('wrong');
    expect(marked({ line: 2, column: 11 })).toBe('=');
    expect(marked({ line: 2, column: 9 })).toBe('é');
    expect(marked({ line: 2, column: 14 })).toBe('😀');
  });
  it('may span lines', () => {
    expect(marked({ line: 2, column: 18, end_line: 4, end_column: 4 })).toBe('wrong()\n\n  x');
  });
  it('that is a line is marked from its first to its last character', () => {
    expect(marked({ line: 4 })).toBe('x');
    expect(marked({ line: 3 })).toBe('');
  });
  it('that is not told is the magic line', () => expect(marked({})).toBe('%%wasm_filter a'));
  it('at the end of the source is a point', () => {
    expect(rangeOf(finding({ line: 5, column: 4 }), source)).toEqual({ from: source.length, to: source.length });
  });
  it('outside of the source is moved into it', () => {
    expect(marked({ line: 99, column: 5 })).toBe('end');
    expect(rangeOf(finding({ line: 5, column: 99, end_line: 99, end_column: 99 }), source).to).toBe(source.length);
    expect(marked({ line: 4, column: 3, end_line: 2, end_column: 1 })).toBe('x');
  });
});

describe('a bundle', () => {
  it('is read as the kernel writes it', () => {
    const bundle = { diagnostics: [finding({ line: 2, code: 'E0425' })], source: 'sha256:00' };
    expect(readFindings(output(bundle).data)).toEqual(bundle);
  });
  it.each([undefined, null, 1, 'text', [], {}, { diagnostics: 1, source: '' }, { diagnostics: [] }])(
    'that is %j says nothing',
    bundle => expect(readFindings(output(bundle).data)).toBeNull()
  );
  it('may hold entries that cannot be read', () => {
    const bundle = { diagnostics: [null, 1, {}, { message: 'm', line: -1, column: '3', severity: 'odd' }], source: '' };
    expect(readFindings(output(bundle).data)?.diagnostics).toEqual([finding({ message: 'm' })]);
  });
  it('is found among other outputs', () => {
    const list = [{ data: { 'text/plain': 'x' } }, output({ diagnostics: [], source: 'sha256:00' })];
    expect(findingsIn({ length: 2, get: index => list[index]! })).toEqual([{ diagnostics: [], source: 'sha256:00' }]);
  });
});

describe('marks', () => {
  const body = 'fn main() {\n  wrong\n}';
  const source = Text.of(`%%wasm_filter a --lang rust\n${body}`.split('\n'));
  const diagnostics = [
    finding({ severity: 'note', line: 3, column: 3, message: 'it is here' }),
    finding({ line: 2, column: 4, code: 'E0425' })
  ];
  it('are made of the findings about this source, in its order', () => {
    const made = marksFor(source, [{ diagnostics, source: sourceDigest(`${body}\n`) }]);
    expect(made.map(each => [source.sliceString(each.from, each.to), each.severity, each.code])).toEqual([
      ['main', 'error', 'E0425'],
      ['wrong', 'info', undefined]
    ]);
  });
  it('are not made of findings about another source', () => {
    expect(marksFor(source, [{ diagnostics, source: sourceDigest(`${body} `) }])).toEqual([]);
  });
  it('are not made in cells without the magic', () => {
    expect(marksFor(Text.of(body.split('\n')), [{ diagnostics, source: sourceDigest(body) }])).toEqual([]);
  });
});
