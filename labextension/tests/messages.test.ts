import { describe, expect, it } from 'vitest';

import { ANSWERS, readHello, readMessage } from '../src/kernel/read.js';

describe('a message of the kernel', () => {
  it('is news of the filters', () => {
    const read = readMessage({ news: 'filters', filters: [{ name: 'a', figures: [{ kind: 'send', text: '200', ok: true }] }] });
    expect(read).toMatchObject({
      filters: [{ name: 'a', language: '', size: 0, figures: [{ kind: 'send', digest: '', ok: true, text: '200' }] }]
    });
  });
  it('is the answer to a question, or an error', () => {
    expect(readMessage({ id: '7', result: [1], error: null })).toEqual({ id: '7', result: [1], error: null });
    expect(readMessage({ id: '7', error: { what: 'no' } })).toEqual({
      id: '7',
      result: undefined,
      error: { what: 'no', where: '', do: '' }
    });
  });
  it('of another kind is passed over', () => {
    expect(readMessage({ news: 'weather' })).toBeNull();
    expect(readMessage(null)).toBeNull();
    expect(readMessage('text')).toBeNull();
  });
  it('leaves out figures of kinds that came later', () => {
    const hello = readHello({ protocol: 1, version: '9', filters: [{ name: 'a', figures: [{ kind: 'dance' }, null] }] });
    expect(hello.filters[0]?.figures).toEqual([]);
  });
  it('that lacks parts is read as far as it goes', () => {
    expect(readHello(undefined)).toEqual({ protocol: 0, version: '', filters: [] });
    expect(ANSWERS.images({ images: [null, { reference: 'a' }], total: 'two' })).toMatchObject({
      total: 0,
      images: [{ reference: '' }, { reference: 'a', signed: false }]
    });
    expect(ANSWERS.image({ facts: [['a', 'b'], 'c', [1]] }).facts).toEqual([
      ['a', 'b'],
      ['', ''],
      ['', '']
    ]);
    expect(ANSWERS.deployments({})).toEqual([]);
  });
});
