/** What we use of a code cell's model. It is described here, because its class lives in a package that is not shared. */

import type { CodeEditor } from '@jupyterlab/codeeditor';
import type { ISignal } from '@lumino/signaling';

/** One output, as the notebook keeps it. */
export interface Output {
  readonly data: { readonly [mime: string]: unknown };
}

/** A cell's outputs. */
export interface Outputs {
  readonly length: number;
  get(index: number): Output;
  readonly changed: ISignal<unknown, unknown>;
}

/** The model of a code cell in a notebook or console. */
export interface CodeCellModel extends CodeEditor.IModel {
  readonly type: 'code';
  readonly outputs: Outputs;
}

/** Whether an editor's model is that of a code cell, and not of another cell or a file. */
export function isCodeCell(model: CodeEditor.IModel): model is CodeCellModel {
  return 'type' in model && model.type === 'code' && 'outputs' in model;
}
