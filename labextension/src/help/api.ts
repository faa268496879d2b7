/** What a filter can call and define, in a sentence each: no editor, no notebook. */

/** A function, a value or a callback. `results` are the codes that it returns, `link` is where the ABI defines it. */
export interface ApiEntry {
  readonly name: string;
  readonly languages: readonly string[];
  readonly signature: string;
  readonly meaning: string;
  readonly results: string;
  readonly link: string;
}

/** The whole table. It is fetched when somebody first asks, and is no burden to those who do not. */
export async function api(): Promise<readonly ApiEntry[]> {
  return (await import('./api.json', { with: { type: 'json' } })).default;
}

/** A whole piece of a program that completion offers. */
export interface Snippet {
  readonly label: string;
  readonly languages: readonly string[];
  readonly text: string;
  readonly meaning: string;
}

/** The pieces that there are, fetched like the table. */
async function snippets(): Promise<readonly Snippet[]> {
  return (await import('./snippets.json', { with: { type: 'json' } })).default;
}

/** What a name means in a language; null where it is none of ours. */
export async function entryOf(name: string, language: string): Promise<ApiEntry | null> {
  return (await api()).find(each => each.name === name && each.languages.includes(language)) ?? null;
}

/** What may be meant by the start of a word. */
export async function entriesFor(start: string, language: string): Promise<ApiEntry[]> {
  return (await api()).filter(each => each.name.startsWith(start) && each.languages.includes(language));
}

/** Snippets that may be meant: those with a word that starts so, once something has been typed. */
export async function snippetsFor(start: string, language: string): Promise<Snippet[]> {
  return (await snippets()).filter(
    each => each.languages.includes(language) && each.label.split(' ').some(word => start !== '' && word.startsWith(start))
  );
}
