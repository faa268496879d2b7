import { describe, expect, it } from 'vitest';

import { api, entriesFor, entryOf, snippetsFor } from '../src/help/api.js';
import { LANGUAGES } from '../src/languages/magicLine.js';

describe('help', () => {
  it('tells of every name what it does, in a language that there is', async () => {
    const names = new Set(LANGUAGES.map(each => each.name));
    for (const each of await api()) {
      expect(each.meaning).toMatch(/\S.*\.$/);
      expect(each.signature).toContain(each.name);
      expect(each.languages.filter(language => !names.has(language))).toEqual([]);
    }
  });
  it('tells a name once in a language', async () => {
    const all = (await api()).flatMap(each => each.languages.map(language => `${language} ${each.name}`));
    expect(all.filter((each, index) => all.indexOf(each) !== index)).toEqual([]);
  });
  it('is about the language of the cell', async () => {
    expect((await entryOf('respond', 'python'))?.meaning).toContain('Answer');
    expect(await entryOf('respond', 'c')).toBeNull();
    expect(await entryOf('proxy_log', 'c')).toMatchObject({ results: 'Ok; BadArgument for an unknown level' });
    expect((await entriesFor('pw_set_h', 'c')).map(each => each.name)).toContain('pw_set_header');
  });
  it('offers snippets by any of their words, once one is begun', async () => {
    expect((await snippetsFor('bod', 'python')).map(each => each.label)).toEqual(['change a body']);
    expect(await snippetsFor('', 'python')).toEqual([]);
    expect(await snippetsFor('bod', 'c')).toEqual([]);
  });
});
