/** What can be done with a filter, and the line of the notebook that does it. */

/** Every action, in the order of a filter's life. */
export const ACTIONS = ['build', 'send', 'test', 'bench', 'verify', 'push', 'deploy'] as const;

export type Action = (typeof ACTIONS)[number];

/** Where an action's line is: a cell that is there, or one to be made before the cell that has this index now. */
export type Target =
  | { readonly index: number }
  | { readonly before: number; readonly source: string };

/** A cell of a notebook. */
export interface CellText {
  readonly code: boolean;
  readonly source: string;
}

const LINES: { readonly [action in Exclude<Action, 'build'>]: (name: string) => string } = {
  send: name => `%wasm_send ${name} GET /`,
  test: name => `%wasm_test ${name}`,
  bench: name => `%wasm_bench ${name} --vs none --seconds 1`,
  verify: name => `%wasm_verify ${name}`,
  push: name => `%wasm_push ${name}`,
  deploy: name => `%wasm_deploy ${name} --to envoy`
};

/** The command of an action. */
export function commandOf(action: Action): string {
  return `wasmhub:${action}`;
}

/**
 * The cell that does an action for the filter whose cell has this index: the first below it that does this and nothing
 * else, before the filter is written anew; else a new one, below those that follow it and are about it already.
 */
export function targetOf(action: Exclude<Action, 'build'>, name: string, cell: number, cells: readonly CellText[]): Target {
  const does = lineOf(action, name);
  const anew = new RegExp(`^\\s*%%wasm_filter\\s+${escaped(name)}(?=\\s|$)`);
  for (let index = cell + 1; index < cells.length; index++) {
    const { code, source } = cells[index] as CellText;
    if (code && anew.test(source)) {
      break;
    }
    if (code && does.test(source)) {
      return { index };
    }
  }
  const about = new RegExp(`^\\s*(?:\\w+\\s*=\\s*)?%wasm_\\w+\\s+${escaped(name)}(?=\\s|$)`);
  let before = cell + 1;
  while (cells[before]?.code === true && about.test(cells[before]?.source ?? '')) {
    before++;
  }
  return { before, source: LINES[action](name) };
}

/** Matches a cell whose only statement is this action, perhaps followed by the name that it was given. */
function lineOf(action: Action, name: string): RegExp {
  return new RegExp(
    `^\\s*(?:(\\w+)\\s*=\\s*)?%wasm_${action}\\s+${escaped(name)}(?=\\s|$)[^\\n]*(?:\\n\\s*\\1)?\\s*$`
  );
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
