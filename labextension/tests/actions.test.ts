import { Text } from '@codemirror/state';
import { describe, expect, it } from 'vitest';

import { type CellText, targetOf } from '../src/actions/actions.js';
import { sourceDigest } from '../src/diagnostics/digest.js';
import type { FilterState } from '../src/kernel/messages.js';
import { readFilterCell, readFilterText, stateOf } from '../src/notebook/filterCell.js';

const code = (source: string): CellText => ({ code: true, source });
const GREETER = code('%%wasm_filter greeter\nx = 1');

describe('the cell of an action', () => {
  it('is written below the filter where there is none', () => {
    expect(targetOf('send', 'greeter', 0, [GREETER, code('x')])).toEqual({
      before: 1,
      source: '%wasm_send greeter GET /'
    });
  });
  it.each([
    '%wasm_send greeter GET /items',
    'exchange = %wasm_send greeter GET /',
    'exchange = %wasm_send greeter GET /\nexchange',
    '  %wasm_send greeter'
  ])('is the one that is there: %s', source => {
    expect(targetOf('send', 'greeter', 0, [GREETER, code('x'), code(source)])).toEqual({ index: 2 });
  });
  it.each([
    '%wasm_send greeter2 GET /',
    '%wasm_test greeter',
    'x = %wasm_send greeter GET /\nprint(x)',
    '# %wasm_send greeter GET /'
  ])('is none that does something else too: %s', source => {
    expect(targetOf('send', 'greeter', 0, [GREETER, { code: false, source: 'text' }, code(source)])).toEqual({
      before: 1,
      source: '%wasm_send greeter GET /'
    });
  });
  it('comes after those that are about the filter already', () => {
    const cells = [GREETER, code('%wasm_send greeter GET /'), code('%wasm_test greeter'), code('x')];
    expect(targetOf('bench', 'greeter', 0, cells)).toMatchObject({ before: 3 });
  });
  it('is not one that comes after the filter is written anew', () => {
    const cells = [GREETER, GREETER, code('%wasm_test greeter')];
    expect(targetOf('test', 'greeter', 0, cells)).toMatchObject({ before: 1 });
    expect(targetOf('test', 'greeter', 1, cells)).toEqual({ index: 2 });
  });
  it('takes a name as it is written', () => {
    expect(targetOf('test', 'a.b', 0, [code('%%wasm_filter a.b'), code('%wasm_test aXb')])).toMatchObject({ before: 1 });
  });
});

describe('a filter cell', () => {
  it('has a name, a line, a source and a language', () => {
    expect(readFilterText('\n%%wasm_filter  gate --lang rust \nfn main() {}\n')).toEqual({
      name: 'gate',
      line: 'gate --lang rust',
      source: sourceDigest('fn main() {}'),
      language: 'rust'
    });
  });
  it('is named filter where it has no name', () => {
    expect(readFilterText('%%wasm_filter\nx')?.name).toBe('filter');
    expect(readFilterText('%%wasm_filter "gate"\nx')?.name).toBe('gate');
  });
  it('is no other cell', () => {
    expect(readFilterText('x = 1\n%%wasm_filter a')).toBeNull();
    expect(readFilterCell(Text.of(['%wasm_filter a']))).toBeNull();
  });
});

describe('a state', () => {
  const cell = readFilterText('%%wasm_filter a --lang c\nint x;') as NonNullable<ReturnType<typeof readFilterText>>;
  const filter = (changes: Partial<FilterState> = {}): FilterState => ({
    name: 'a',
    language: 'c',
    line: cell.line,
    source: cell.source,
    digest: 'sha256:1',
    size: 1,
    error: '',
    findings: [],
    figures: [],
    ...changes
  });
  const finding = { severity: 'error' as const, message: 'm', line: 2, column: 0, end_line: 0, end_column: 0, code: '' };
  it('is that of the build of this very cell', () => {
    expect(stateOf(cell, null)).toBe('unbuilt');
    expect(stateOf(cell, filter())).toBe('built');
    expect(stateOf(cell, filter({ error: 'no' }))).toBe('failing');
    expect(stateOf(cell, filter({ findings: [finding] }))).toBe('failing');
  });
  it('is stale once the source or the options differ', () => {
    expect(stateOf(cell, filter({ source: 'sha256:other', error: 'no' }))).toBe('stale');
    expect(stateOf(cell, filter({ line: 'a --lang c --debug' }))).toBe('stale');
  });
  it('is deployed as long as the deployed module is the one that was built', () => {
    const figure = (digest: string) => ({ kind: 'deploy' as const, digest, ok: true, text: 'version 1' });
    expect(stateOf(cell, filter({ figures: [figure('sha256:1')] }))).toBe('deployed');
    expect(stateOf(cell, filter({ figures: [figure('sha256:0')] }))).toBe('built');
  });
});
