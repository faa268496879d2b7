import { cppLanguage } from '@codemirror/lang-cpp';
import { pythonLanguage } from '@codemirror/lang-python';
import { rustLanguage } from '@codemirror/lang-rust';
import { insertNewlineAndIndent } from '@codemirror/commands';
import { ensureSyntaxTree, indentUnit, type Language, LanguageSupport, StreamLanguage } from '@codemirror/language';
import { go } from '@codemirror/legacy-modes/mode/go';
import { EditorState, type Extension } from '@codemirror/state';
import { type Input, Parser, Tree, type TreeBuffer, type TreeFragment } from '@lezer/common';
import { classHighlighter, highlightTree } from '@lezer/highlight';
import { beforeAll, describe, expect, it, vi } from 'vitest';

import { cellLanguage } from '../src/languages/cellParser.js';
import { findLanguage } from '../src/languages/magicLine.js';
import { cellSupport, Supports } from '../src/languages/support.js';
import { zigLanguage } from '../src/languages/zig.js';

const goLanguage = StreamLanguage.define(go);

function open(name: string, body: Language | null, source: string): EditorState {
  const support = cellSupport(findLanguage(name), body === null ? null : new LanguageSupport(body));
  return EditorState.create({ doc: source, extensions: [pythonLanguage.extension, support] });
}

/** Every highlighted piece of the source, with how it is highlighted. */
function coloured(state: EditorState): Record<string, string> {
  const found: Record<string, string> = {};
  const tree = ensureSyntaxTree(state, state.doc.length, 5000);
  expect(tree?.length).toBe(state.doc.length);
  highlightTree(tree!, classHighlighter, (from, to, classes) => {
    found[state.sliceDoc(from, to)] = classes.replaceAll('tok-', '');
  });
  return found;
}

// The editor stops reading after some milliseconds: here, time stands still.
beforeAll(() => void vi.useFakeTimers({ toFake: ['Date'] }));

describe('a cell is highlighted', () => {
  it('as a magic line above Rust', () => {
    const state = open('rust', rustLanguage, '%%wasm_filter a --lang rust\nfn main() { let x = "s"; } // note');
    expect(coloured(state)).toMatchObject({
      '%%wasm_filter': 'meta',
      a: 'variableName definition',
      rust: 'string',
      fn: 'keyword',
      '"s"': 'string',
      '// note': 'comment'
    });
  });
  it('as a magic line above Python', () => {
    const state = open('python', pythonLanguage, '%%wasm_filter a\ndef f(): # note\n    return "s"\n');
    expect(coloured(state)).toMatchObject({ '%%wasm_filter': 'meta', def: 'keyword', '# note': 'comment' });
  });
  it('as a magic line above Go, whose parser reads a stream', () => {
    const state = open('go', goLanguage, '%%wasm_filter a --lang go\npackage main // note');
    expect(coloured(state)).toMatchObject({ '%%wasm_filter': 'meta', package: 'keyword', '// note': 'comment' });
  });
  it('as a magic line above Zig', () => {
    const source = '%%wasm_filter a --lang zig\nconst std = @import("std");\nfn f(n: u32) void {\n  return;\n}\n\\\\text';
    expect(coloured(open('zig', zigLanguage, source))).toMatchObject({
      '%%wasm_filter': 'meta',
      const: 'keyword',
      std: 'variableName definition',
      '"std"': 'string',
      u32: 'typeName',
      void: 'typeName',
      f: 'variableName definition',
      return: 'keyword',
      '\\\\text': 'string'
    });
  });
  it('as a magic line alone', () => {
    expect(coloured(open('rust', rustLanguage, '%%wasm_filter a'))).toMatchObject({ '%%wasm_filter': 'meta' });
    expect(coloured(open('rust', rustLanguage, '%%wasm_filter\n'))).toMatchObject({ '%%wasm_filter': 'meta' });
  });
  it('without its body where the language is not known', () => {
    const state = open('cobol', null, '%%wasm_filter a --lang cobol\nMOVE "x" TO y.');
    expect(Object.values(coloured(state))).not.toContain('keyword');
    expect(coloured(state)).toMatchObject({ cobol: 'string' });
  });
  it('after changes as if it had been opened so', () => {
    let state = open('cpp', cppLanguage, '%%wasm_filter a --lang cpp\nint x = 1;\n');
    coloured(state);
    state = state.update({ changes: { from: state.doc.length, insert: 'return "s"; // note\n' } }).state;
    state = state.update({ changes: { from: 15, insert: 'b' } }).state;
    expect(coloured(state)).toEqual(coloured(open('cpp', cppLanguage, state.doc.toString())));
  });
});

describe('an edit', () => {
  const bodies: [string, Language, (number: number) => string][] = [
    ['python', pythonLanguage, number => `def f${number}(ctx):\n    ctx.log("line ${number}")\n`],
    ['rust', rustLanguage, number => `fn f${number}() { log("line ${number}"); }\n`],
    ['go', goLanguage, number => `func f${number}() { log("line ${number}") }\n`]
  ];
  it.each(bodies)('leaves the tree of the rest of %s as it was', (name, body, line) => {
    const source = `%%wasm_filter a --lang ${name}\n${Array.from({ length: 300 }, (_, number) => line(number)).join('')}`;
    const before = open(name, body, source);
    const known = new Set(parts(ensureSyntaxTree(before, before.doc.length, 5000)!));
    const after = before.update({ changes: { from: source.indexOf('line 150'), insert: 'the ' } }).state;
    const kept = parts(ensureSyntaxTree(after, after.doc.length, 5000)!).filter(each => known.has(each));
    expect(kept.reduce((sum, each) => sum + each.length, 0)).toBeGreaterThan(source.length / 3); // a stream is read to its end
  });
});

/** The parts of a tree that have no trees in them. */
function parts(tree: Tree): (Tree | TreeBuffer)[] {
  const { children } = tree;
  return children.length === 0 ? [tree] : children.flatMap(each => (each instanceof Tree ? parts(each) : [each]));
}

describe('in the body', () => {
  const comment = (state: EditorState, at: number): unknown => state.languageDataAt('commentTokens', at, 1)[0];
  it('comments are those of its language', () => {
    const rust = open('rust', rustLanguage, '%%wasm_filter a --lang rust\nfn main() {}');
    ensureSyntaxTree(rust, rust.doc.length, 5000);
    expect(comment(rust, 30)).toMatchObject({ line: '//' });
    expect(comment(rust, 0)).toBeUndefined();
    const python = open('python', pythonLanguage, '%%wasm_filter a\nx = 1');
    ensureSyntaxTree(python, python.doc.length, 5000);
    expect(comment(python, 18)).toMatchObject({ line: '#' });
  });
  it.each([
    ['rust', rustLanguage, 'fn main() {', '    '],
    ['python', pythonLanguage, 'def f():', '    '],
    ['python', pythonLanguage, 'def f():\n    return', '    '],
    ['go', goLanguage, 'func main() {', '\t'],
    ['go', goLanguage, 'func main() {\n\tif x {', '\t\t'],
    ['zig', zigLanguage, 'fn f() void {', '    '],
    ['zig', zigLanguage, 'fn f() void {\n    g(', '        '],
    ['zig', zigLanguage, 'fn f() void {}', ''],
    ['cpp', cppLanguage, 'int main() {', '    '],
    ['rust', rustLanguage, '', '']
  ] as const)('a new line is indented as in %s', (name, body, source, indentation) => {
    const pressEnter = (text: string, extension: Extension): string => {
      const extensions = [extension, indentUnit.of(name === 'go' ? '\t' : '    ')];
      let state = EditorState.create({ doc: text, selection: { anchor: text.length }, extensions });
      ensureSyntaxTree(state, state.doc.length, 5000);
      insertNewlineAndIndent({ state, dispatch: transaction => void (state = transaction.state) });
      return state.doc.toString();
    };
    const line = `%%wasm_filter a --lang ${name}${source === '' ? '' : '\n'}`;
    const support = cellSupport(findLanguage(name), new LanguageSupport(body));
    expect(pressEnter(line + source, support)).toBe(`${line}${source}\n${indentation}`);
    expect(pressEnter(source, body)).toBe(`${source}\n${indentation}`);
  });
});

describe('support', () => {
  it('is loaded once, and there at once from then on', async () => {
    const asked: string[] = [];
    const supports = new Supports(async mime => {
      asked.push(mime);
      return new LanguageSupport(rustLanguage);
    });
    const rust = findLanguage('rust');
    expect(supports.peek(rust)).toBeUndefined();
    const [one, other] = await Promise.all([supports.get(rust), supports.get(rust)]);
    expect(one).toBe(other);
    expect(supports.peek(rust)).toBe(one);
    expect(asked).toEqual(['text/x-rustsrc']);
  });
  it('is tried again after a failure, and plain text until then', async () => {
    let fails = true;
    const supports = new Supports(async () => {
      if (fails) {
        throw new Error('offline');
      }
      return new LanguageSupport(rustLanguage);
    });
    const rust = findLanguage('rust');
    await supports.get(rust);
    expect(supports.peek(rust)).toBeUndefined();
    fails = false;
    expect(await supports.get(rust)).toBe(supports.peek(rust));
  });
});

it('a key in a long cell has only a part of it read again', () => {
  let characters = 0;
  class Counting extends Parser {
    createParse(input: Input, fragments: readonly TreeFragment[], ranges: readonly { from: number; to: number }[]) {
      const counting: Input = {
        length: input.length,
        lineChunks: input.lineChunks,
        chunk: from => {
          const text = input.chunk(from);
          characters += text.length;
          return text;
        },
        read: (from, to) => input.read(from, to)
      };
      return rustLanguage.parser.createParse(counting, fragments, ranges);
    }
  }
  const lines = Array.from({ length: 500 }, (_, i) => `fn f${i}(x: u32) -> u32 { let y = "${i}"; x + ${i} } // note`);
  const doc = `%%wasm_filter a --lang rust\n${lines.join('\n')}\n`;
  const state = EditorState.create({ doc, extensions: [cellLanguage('counted', new Counting())] });
  ensureSyntaxTree(state, doc.length, 5000);
  const opened = characters;
  expect(opened).toBeGreaterThan(20_000);
  const typed = state.update({ changes: { from: state.doc.line(250).to, insert: 'x' } }).state;
  expect(ensureSyntaxTree(typed, typed.doc.length, 5000)?.length).toBe(typed.doc.length);
  expect(characters - opened).toBeLessThan(opened / 4);
});
