import { describe, expect, it } from 'vitest';

import { withFreeName } from '../src/actions/naming.js';

const PULL = '%wasm_pull demo/greeter:v1@sha256:00 --as greeter';

describe('the name of a pulled filter', () => {
  it('is its own where it is free', () => {
    expect(withFreeName(PULL, ['other'], ['x = 1', 'greeter == 2'])).toBe(PULL);
  });
  it('is another where a filter has it', () => {
    expect(withFreeName(PULL, ['greeter'], [])).toBe(`${PULL}_2`);
    expect(withFreeName(`${PULL}_er`, ['greeter-er'], [])).toBe(`${PULL}_er_2`);
  });
  it('is another where a cell pulls or binds it', () => {
    expect(withFreeName(PULL, [], [PULL, `${PULL}_2`])).toBe(`${PULL}_3`);
    expect(withFreeName(PULL, [], ['import os\ngreeter = %wasm_deploy g'])).toBe(`${PULL}_2`);
  });
});
