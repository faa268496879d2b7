import { Text } from '@codemirror/state';
import { describe, expect, it } from 'vitest';

import { LANGUAGES, magicLineOf, readMagicLine } from '../src/languages/magicLine.js';

const words = (text: string): string[] =>
  (readMagicLine(text)?.words ?? []).map(each => `${each.kind}:${text.slice(each.from, each.to)}`);
const language = (text: string): string | null | undefined => {
  const line = readMagicLine(text);
  return line === null ? undefined : (line.language?.name ?? null);
};

describe('a cell is a filter cell', () => {
  it.each(['%%wasm_filter', '%%wasm_filter x\nbody', '\n  \n%%wasm_filter x', '  %%wasm_filter'])(
    'if it starts with %j',
    text => expect(readMagicLine(text)).not.toBeNull()
  );
  it.each(['', 'x = 1', '%wasm_filter x', '%%wasm_filters x', '# note\n%%wasm_filter x', '%%time\n%%wasm_filter'])(
    'but not if it starts with %j',
    text => expect(readMagicLine(text)).toBeNull()
  );
});

describe('the language of the body', () => {
  it('is Python where the line names none', () => {
    expect(language('%%wasm_filter greeter\n--lang rust')).toBe('python');
    expect(LANGUAGES[0]?.name).toBe('python');
  });
  it.each([
    ['%%wasm_filter a --lang rust', 'rust'],
    ['%%wasm_filter --lang=zig a', 'zig'],
    ['%%wasm_filter a --lang Go', 'go'],
    ['%%wasm_filter a --lang js', 'javascript'],
    ['%%wasm_filter a --lang "c++"', 'cpp'],
    ["%%wasm_filter a --lang='wat'", 'wat'],
    ['%%wasm_filter a --lang c --lang rust', 'rust'],
    ["%%wasm_filter a --config '--lang rust' --lang c", 'c'],
    ['%%wasm_filter a --config "say \\"--lang rust\\"" --lang c', 'c'],
    ['%%wasm_filter a --config --lang=rust', 'python']
  ])('of %j is %s', (line, name) => expect(language(line)).toBe(name));
  it.each(['%%wasm_filter a --lang ru', '%%wasm_filter a --lang cobol', '%%wasm_filter a --lang=', "%%wasm_filter a --lang ''"])(
    'of %j is none',
    line => expect(language(line)).toBeNull()
  );
  it('stays the default while the value is not typed yet', () => {
    expect(language('%%wasm_filter a --lang')).toBe('python');
    expect(language('%%wasm_filter a --lang ')).toBe('python');
  });
});

describe('the words of the line', () => {
  it('are told apart', () => {
    expect(words('%%wasm_filter greeter --lang rust --debug --flag=-Wall')).toEqual([
      'magic:%%wasm_filter',
      'name:greeter',
      'option:--lang',
      'value:rust',
      'option:--debug',
      'option:--flag',
      'value:-Wall'
    ]);
  });
  it('keep their quotes and what these hold', () => {
    expect(words(`%%wasm_filter a --config '{"a b": 1}' --env K="x y"`)).toEqual([
      'magic:%%wasm_filter',
      'name:a',
      'option:--config',
      `value:'{"a b": 1}'`,
      'option:--env',
      'value:K="x y"'
    ]);
  });
  it('may end in a quote that is not closed yet', () => {
    expect(words(`%%wasm_filter a --config '{"a`)).toContain(`value:'{"a`);
    expect(words('%%wasm_filter a --config "x\\')).toContain('value:"x\\');
  });
  it('have their places in the text, empty lines above included', () => {
    const text = '\n  %%wasm_filter a';
    expect(words(text)).toEqual(['magic:%%wasm_filter', 'name:a']);
    expect(readMagicLine(`${text}\nbody`)?.to).toBe(text.length);
  });
});

it('a document is read no further than its magic line', () => {
  const source = Text.of(['', '%%wasm_filter a --lang zig', ...Array<string>(1000).fill('%%wasm_filter b --lang c')]);
  expect(magicLineOf(source)?.language?.name).toBe('zig');
  expect(magicLineOf(Text.of(['', '']))).toBeNull();
});
