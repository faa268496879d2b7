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

export const SNIPPETS: readonly Snippet[] = [
  {
    label: 'refuse a request',
    languages: ['python'],
    text: 'def on_request_headers(ctx):\n    if "authorization" not in ctx.request.headers:\n        return ctx.respond(401, {}, "who are you?\\n")\n',
    meaning: 'Answer by itself where a header is missing.'
  },
  {
    label: 'change a body',
    languages: ['python'],
    text: 'def on_response_headers(ctx):\n    del ctx.response.headers["content-length"]\n\ndef on_response_body(ctx):\n    if not ctx.end_of_stream:\n        return ctx.PAUSE\n    ctx.response.body = ctx.response.body.upper()\n',
    meaning: 'Collect the whole body, then put another in its place.'
  },
  {
    label: 'add a response header',
    languages: ['c'],
    text: 'pw_action proxy_on_response_headers(uint32_t context, uint32_t count, bool end_of_stream) {\n  pw_set_header(PW_RESPONSE_HEADERS, "x-served-by", "my filter");\n  return PW_CONTINUE;\n}\n',
    meaning: 'Set a header on every response.'
  }
];

/** What a name means in a language; null where it is none of ours. */
export async function entryOf(name: string, language: string): Promise<ApiEntry | null> {
  return (await api()).find(each => each.name === name && each.languages.includes(language)) ?? null;
}

/** What may be meant by the start of a word. */
export async function entriesFor(start: string, language: string): Promise<ApiEntry[]> {
  return (await api()).filter(each => each.name.startsWith(start) && each.languages.includes(language));
}

/** Snippets that may be meant: those with a word that starts so, once something has been typed. */
export function snippetsFor(start: string, language: string): Snippet[] {
  return SNIPPETS.filter(
    each => each.languages.includes(language) && each.label.split(' ').some(word => start !== '' && word.startsWith(start))
  );
}
