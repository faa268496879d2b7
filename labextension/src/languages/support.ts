/** Editor support for filter cells, made of the languages that the application has. */

import { indentUnit, LanguageSupport } from '@codemirror/language';
import { EditorState, type Extension, Prec } from '@codemirror/state';

import { cellLanguage } from './cellParser.js';
import { type BodyLanguage, magicLineOf } from './magicLine.js';

/** Loads the application's support for the language with a MIME type; null where it has none. */
export type LoadBase = (mime: string) => Promise<LanguageSupport | null>;

/** What an editor needs for cells whose body has this language; what supports the body alone comes with it. */
export function cellSupport(language: BodyLanguage | null, body: LanguageSupport | null): Extension {
  const cell = cellLanguage(`wasm-filter-${language?.name ?? 'unknown'}`, body?.language.parser ?? null);
  const indent = language?.indent === undefined ? [] : Prec.highest(indentUnit.of(language.indent));
  // An editor has one language: of several, the first.
  return [Prec.highest(cell.extension), body?.support ?? [], indent, body === null ? [] : commentsAtEnds(body)];
}

/** Where the body begins and where it ends, editors ask for what is beside it: it has the body's comments, too. */
function commentsAtEnds(body: LanguageSupport): Extension {
  const [commentTokens] = EditorState.create({ extensions: body.language }).languageDataAt('commentTokens', 0);
  return EditorState.languageData.of(({ doc }, position) => {
    const magic = magicLineOf(doc)?.to ?? doc.length;
    return position > magic && (position === magic + 1 || position === doc.length) ? [{ commentTokens }] : [];
  });
}

/** Support for each language of filter cells, loaded when it is first wanted. */
export class Supports {
  private readonly loading = new Map<BodyLanguage | null, Promise<Extension>>();
  private readonly loaded = new Map<BodyLanguage | null, Extension>();

  constructor(private readonly loadBase: LoadBase) {}

  /** The support if it is there already. */
  peek(language: BodyLanguage | null): Extension | undefined {
    return this.loaded.get(language);
  }

  /** The support. A body whose language cannot be loaded now is plain text, and is tried again next time. */
  async get(language: BodyLanguage | null): Promise<Extension> {
    const known = this.loading.get(language) ?? this.load(language);
    this.loading.set(language, known);
    try {
      return await known;
    } catch (error) {
      console.warn(`The language ${language?.title} cannot be loaded.`, error);
      this.loading.delete(language);
      return cellSupport(language, null);
    }
  }

  private async load(language: BodyLanguage | null): Promise<Extension> {
    const support = cellSupport(language, await this.body(language));
    this.loaded.set(language, support);
    return support;
  }

  private async body(language: BodyLanguage | null): Promise<LanguageSupport | null> {
    if (language?.name === 'zig') {
      return new LanguageSupport((await import('./zig.js')).zigLanguage);
    }
    return language === null ? null : this.loadBase(language.base);
  }
}
