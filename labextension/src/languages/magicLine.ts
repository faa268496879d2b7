/** What the first line of a filter cell says: no editor, no notebook, only text. */

import type { Text } from '@codemirror/state';

import table from './languages.json' with { type: 'json' };

/** A language that the body of a filter cell can have. */
export interface BodyLanguage {
  readonly name: string;
  readonly title: string;
  readonly aliases: readonly string[];
  /** MIME type under which the application knows it; empty where it does not. */
  readonly base: string;
  /** What one level of indentation is, where the language leaves no choice. */
  readonly indent?: string;
}

/** Every language, the default first. */
export const LANGUAGES: readonly BodyLanguage[] = table.languages;

export type WordKind = 'magic' | 'name' | 'option' | 'value';

/** A part of the line, by its place in the text. */
export interface Word {
  readonly kind: WordKind;
  readonly from: number;
  readonly to: number;
}

/** The first line of a filter cell. */
export interface MagicLine {
  /** Where the line ends: at its line feed, or at the end of the text. */
  readonly to: number;
  readonly words: readonly Word[];
  /** The language of the body; null while the line names none that there is. */
  readonly language: BodyLanguage | null;
}

const MAGIC = new RegExp(`^\\s*%%${table.magic}(?=\\s|$)`);
const VALUED: ReadonlySet<string> = new Set(table.valued);
/** As a POSIX shell splits: quotes may stand anywhere in a word, and may not be closed yet. */
const WORD = /(?:"(?:\\.|[^"\\])*"?|'[^']*'?|\\.|[^\s"'\\]|\\$)+/gsu;

/** The language of that name or alias, in upper or lower case; null where there is none. */
export function findLanguage(name: string): BodyLanguage | null {
  const wanted = name.toLowerCase();
  return LANGUAGES.find(each => each.name === wanted || each.aliases.includes(wanted)) ?? null;
}

/**
 * Read a cell's magic line; null where the cell is no filter cell.
 *
 * `text` is the cell's source, or as much of it as holds its first line that is not empty: empty lines above
 * the magic are allowed, as the kernel allows them.
 */
export function readMagicLine(text: string): MagicLine | null {
  const magic = MAGIC.exec(text);
  if (magic === null) {
    return null;
  }
  const start = magic[0].length;
  const feed = text.indexOf('\n', start);
  const to = feed < 0 ? text.length : feed;
  const words: Word[] = [{ kind: 'magic', from: text.lastIndexOf('%%', start), to: start }];
  let language: BodyLanguage | null = LANGUAGES[0] ?? null;
  let awaited: string | null = null;
  let named = false;

  const take = (option: string, value: string): void => {
    if (option === '--lang') {
      language = findLanguage(unquoted(value));
    }
  };
  for (const found of text.slice(start, to).matchAll(WORD)) {
    const word = found[0];
    const from = start + found.index;
    const end = from + word.length;
    const equals = word.indexOf('=');
    if (awaited !== null) {
      take(awaited, word);
      words.push({ kind: 'value', from, to: end });
      awaited = null;
    } else if (!word.startsWith('-')) {
      words.push({ kind: named ? 'value' : 'name', from, to: end });
      named = true;
    } else if (equals > 0) {
      take(word.slice(0, equals), word.slice(equals + 1));
      words.push({ kind: 'option', from, to: from + equals });
      if (equals + 1 < word.length) {
        words.push({ kind: 'value', from: from + equals + 1, to: end });
      }
    } else {
      words.push({ kind: 'option', from, to: end });
      awaited = VALUED.has(word) ? word : null;
    }
  }
  return { to, words, language };
}

/** The magic line of a document; null where it is no filter cell. Only its first lines are looked at. */
export function magicLineOf(source: Text): MagicLine | null {
  let head = '';
  for (let number = 1; number <= source.lines; number++) {
    const { text } = source.line(number);
    head += text;
    if (/\S/.test(text)) {
      break;
    }
    head += '\n';
  }
  return readMagicLine(head);
}

/** The word as the kernel sees it, without the quotes. */
function unquoted(word: string): string {
  return word.replace(/"((?:\\.|[^"\\])*)"?|'([^']*)'?|\\(.)/gsu, (_, double, single, escaped) =>
    (double?.replace(/\\(["\\])/g, '$1') ?? single ?? escaped) as string
  );
}
