/** Zig, which the application does not know: enough of it to be read, indented and commented. */

import { StreamLanguage, type StringStream } from '@codemirror/language';

interface State {
  /** For each open bracket: which it is, and the indentation of its line. */
  open: { bracket: string; indent: number }[];
  indent: number;
  /** Whether the next name is one that is being declared. */
  declares: boolean;
}

const words = (text: string): ReadonlySet<string> => new Set(text.split(' '));

const KEYWORDS = words(
  'addrspace align allowzero and anyframe asm break callconv catch comptime const continue defer else enum ' +
    'errdefer error export extern fn for if inline linksection noalias noinline nosuspend opaque or orelse ' +
    'packed pub resume return struct suspend switch test threadlocal try union unreachable usingnamespace ' +
    'var volatile while'
);
const TYPES = words(
  'anyerror anyopaque anytype bool c_char c_int c_long c_longdouble c_longlong c_short c_uint c_ulong ' +
    'c_ulonglong c_ushort comptime_float comptime_int f16 f32 f64 f80 f128 isize noreturn type usize void'
);
const ATOMS = words('true false null undefined');
const DECLARING = words('const fn var');

function token(stream: StringStream, state: State): string | null {
  if (stream.sol()) {
    state.indent = stream.indentation();
  }
  if (stream.eatSpace()) {
    return null;
  }
  if (stream.match(/^\/\/[/!]?.*/)) {
    return 'comment';
  }
  if (stream.match(/^\\\\.*/) || stream.match(/^"(?:\\.|[^"\\])*"?/)) {
    return 'string';
  }
  if (stream.match(/^'(?:\\.[^']*|[^'\\])+'?/u)) {
    return 'character';
  }
  if (stream.match(/^0x[\da-f_]+(?:\.[\da-f_]+)?(?:p[+-]?[\d_]+)?/i) || stream.match(/^0[bo][\d_]+/)) {
    return 'number';
  }
  if (stream.match(/^\d[\d_]*(?:\.\d[\d_]*)?(?:e[+-]?[\d_]+)?/i)) {
    return 'number';
  }
  if (stream.match(/^@"(?:\\.|[^"\\])*"?/)) {
    return 'variableName';
  }
  if (stream.match(/^@\w+/)) {
    return 'variableName.standard';
  }
  const name = stream.match(/^[A-Za-z_]\w*/);
  if (Array.isArray(name)) {
    return named(name[0] ?? '', stream, state);
  }
  state.declares = false;
  const character = stream.next() ?? '';
  if ('([{'.includes(character)) {
    state.open.push({ bracket: character, indent: state.indent });
    return 'bracket';
  }
  if (')]}'.includes(character)) {
    state.open.pop();
    return 'bracket';
  }
  if (/[-+*/%=<>!&|^~?]/.test(character)) {
    stream.match(/^[-+*/%=<>!&|^~?]+/);
    return 'operator';
  }
  return null;
}

function named(word: string, stream: StringStream, state: State): string {
  const declared = state.declares;
  state.declares = DECLARING.has(word);
  if (KEYWORDS.has(word)) {
    return 'keyword';
  }
  if (TYPES.has(word) || /^[iu]\d+$/.test(word)) {
    return 'typeName';
  }
  if (ATOMS.has(word)) {
    return 'atom';
  }
  if (declared) {
    return 'variableName.definition';
  }
  return /^[A-Z]/.test(word) && !stream.match(/^\s*\(/, false) ? 'typeName' : 'variableName';
}

/** Zig as a stream of tokens. */
export const zigLanguage = StreamLanguage.define<State>({
  name: 'zig',
  startState: () => ({ open: [], indent: 0, declares: false }),
  copyState: state => ({ ...state, open: [...state.open] }),
  token,
  indent(state, after, context) {
    const innermost = state.open[state.open.length - 1];
    if (innermost === undefined) {
      return 0;
    }
    return /^\s*[)\]}]/.test(after) ? innermost.indent : innermost.indent + context.unit;
  },
  languageData: {
    closeBrackets: { brackets: ['(', '[', '{', '"', "'"] },
    commentTokens: { line: '//' },
    indentOnInput: /^\s*[)\]}]$/
  }
});
