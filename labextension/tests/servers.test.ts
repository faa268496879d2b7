import { describe, expect, it } from 'vitest';

import { bodiesKept, withoutBody } from '../src/languages/servers.js';

describe('what language servers see of a cell', () => {
  it('has the magic line, and lines of the same length', () => {
    expect(withoutBody('\n%%wasm_filter c --lang c\nint f() {\n  "é😀\\n"; }\n')).toBe(
      '\n%%wasm_filter c --lang c\n_________\n____________\n'
    );
  });
  it('is all of it where it is no filter cell', () => {
    expect(withoutBody('%%time\nx = 1')).toBe('%%time\nx = 1');
    expect(bodiesKept.hasForeignCode('%%time\nx = 1', 'code')).toBe(false);
    expect(bodiesKept.hasForeignCode('%%wasm_filter x', 'markdown')).toBe(false);
    expect(bodiesKept.hasForeignCode('%%wasm_filter x', 'code')).toBe(true);
  });
});
