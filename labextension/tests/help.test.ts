import { describe, expect, it } from 'vitest';

import { api, entriesFor, entryOf, snippetsFor } from '../src/help/api.js';
import { LANGUAGES } from '../src/languages/magicLine.js';

describe('help', () => {
  it('tells of every name what it does, in each language', async () => {
    for (const { name: language } of LANGUAGES) {
      for (const each of await api(language)) {
        expect(each.meaning).toMatch(/\S.*\.$/);
        expect(each.signature).toContain(each.name);
      }
    }
  });
  it('tells a name once in a language', async () => {
    for (const { name: language } of LANGUAGES) {
      const all = (await api(language)).map(each => each.name);
      expect(all.filter((each, index) => all.indexOf(each) !== index)).toEqual([]);
    }
  });
  it('is about the language of the cell', async () => {
    expect((await entryOf('respond', 'python'))?.meaning).toContain('Answer');
    expect(await entryOf('respond', 'c')).toBeNull();
    expect(await entryOf('proxy_log', 'c')).toMatchObject({ results: 'Ok; BadArgument for an unknown level' });
    expect((await entryOf('proxy_record_metric', 'zig'))?.signature).toBe('proxy_record_metric(id: i32, value: i64) -> i32');
    expect((await entryOf('proxy_done', 'zig'))?.signature).toBe('proxy_done() -> i32');
    expect((await entryOf('pw_free', 'c'))?.signature).toBe('void pw_free(pw_text *text)');
    expect((await entryOf('proxy_log', 'wat'))?.link).toMatch(/^https:.*#proxy_log$/);
    expect((await entriesFor('pw_set_h', 'c')).map(each => each.name)).toContain('pw_set_header');
  });
  it('offers snippets by any of their words, once one is begun', async () => {
    expect((await snippetsFor('bod', 'python')).map(each => each.label)).toEqual(['change a body']);
    expect(await snippetsFor('', 'python')).toEqual([]);
    expect(await snippetsFor('bod', 'c')).toEqual([]);
  });
});
