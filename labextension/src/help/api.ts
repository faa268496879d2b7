/** What a filter can call and define, in a sentence each: no editor, no notebook. */

/** A function, a value or a callback. `results` are the codes that it returns, `link` is where the ABI defines it. */
export interface ApiEntry {
  readonly name: string;
  readonly signature: string;
  readonly meaning: string;
  readonly results: string;
  readonly link: string;
}

/** A whole piece of a program that completion offers. */
export interface Snippet {
  readonly label: string;
  readonly languages: readonly string[];
  readonly text: string;
  readonly meaning: string;
}

/** Where the ABI defines a host function: its name follows. */
const SPEC = 'https://github.com/proxy-wasm/spec/blob/main/abi-versions/v0.2.1/README.md#';

const UNTYPED = /(?<!: )\b\w+(?=,|$)/g;

/** A row of a table: name, signature with `$` for the name, meaning, results. What is said twice is loaded twice. */
type Row = readonly string[];

/** The tables of each language that has any. One is fetched when somebody first asks, and is no burden to those who do not. */
const TABLES: { readonly [language: string]: readonly (() => Promise<readonly ApiEntry[]>)[] | undefined } = {
  python: [async () => entries((await import('./api/python.json', { with: { type: 'json' } })).default)],
  c: [async () => entries((await import('./api/c.json', { with: { type: 'json' } })).default), hosts],
  cpp: [async () => entries((await import('./api/cpp.json', { with: { type: 'json' } })).default), hosts],
  zig: [hosts],
  wat: [hosts]
};

/** Everything that is told of a language. */
export async function api(language: string): Promise<readonly ApiEntry[]> {
  return (await Promise.all((TABLES[language] ?? []).map(table => table()))).flat();
}

/** What a name means in a language; null where it is none of ours. */
export async function entryOf(name: string, language: string): Promise<ApiEntry | null> {
  return (await api(language)).find(each => each.name === name) ?? null;
}

/** What may be meant by the start of a word. */
export async function entriesFor(start: string, language: string): Promise<ApiEntry[]> {
  return (await api(language)).filter(each => each.name.startsWith(start));
}

/** Snippets that may be meant: those with a word that starts so, once something has been typed. */
export async function snippetsFor(start: string, language: string): Promise<Snippet[]> {
  const snippets: readonly Snippet[] = (await import('./snippets.json', { with: { type: 'json' } })).default;
  return snippets.filter(
    each => each.languages.includes(language) && each.label.split(' ').some(word => start !== '' && word.startsWith(start))
  );
}

/** Host functions: their rows have the parameters alone, those without a type are i32 as every answer is. */
async function hosts(): Promise<readonly ApiEntry[]> {
  const rows: readonly Row[] = (await import('./api/host.json', { with: { type: 'json' } })).default;
  return entries(
    rows.map(([name = '', parameters = '', ...rest]) => [name, `$(${parameters.replace(UNTYPED, '$&: i32')}) -> i32`, ...rest]),
    SPEC
  );
}

function entries(rows: readonly Row[], spec = ''): ApiEntry[] {
  return rows.map(([name = '', signature = '', meaning = '', results = '']) => ({
    name,
    signature: signature.replace('$', name),
    meaning,
    results,
    link: spec === '' ? '' : spec + name
  }));
}
