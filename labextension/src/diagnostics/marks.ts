/** Keep an editor's marks in step with the cell's outputs and its source. */

import { type Diagnostic, linter, lintGutter, setDiagnostics } from '@codemirror/lint';
import { Compartment, type Extension } from '@codemirror/state';
import { type EditorView, type PluginValue, ViewPlugin, type ViewUpdate } from '@codemirror/view';

import type { Outputs } from '../cellModel.js';
import { findingsIn, marksFor } from './findings.js';
import { stepping } from './stepping.js';

/** After the last key, the source is compared with what the findings are about: it may be the old one again. */
const SETTLED_MS = 250;

const SHOWING: Extension = [linter(null), lintGutter(), stepping];

/** An editor extension that marks what the outputs of its cell say about its source. */
export function marks(outputs: Outputs): Extension {
  const showing = new Compartment();
  return [showing.of([]), ViewPlugin.define(view => new Marks(view, outputs, showing))];
}

class Marks implements PluginValue {
  private shown = false;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly view: EditorView,
    private readonly outputs: Outputs,
    private readonly showing: Compartment
  ) {
    outputs.changed.connect(this.onOutputs, this);
    this.onOutputs();
  }

  update(update: ViewUpdate): void {
    if (!update.docChanged) {
      return;
    }
    if (this.shown) {
      this.after(0, () => this.show([]));
    } else if (this.outputs.length > 0) {
      this.after(SETTLED_MS, () => this.compare());
    }
  }

  destroy(): void {
    clearTimeout(this.timer);
    this.outputs.changed.disconnect(this.onOutputs, this);
  }

  /** A view cannot be changed while it is being made or updated, and outputs come in bursts. */
  private onOutputs(): void {
    this.after(0, () => this.compare());
  }

  private after(milliseconds: number, act: () => void): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(act, milliseconds);
  }

  private compare(): void {
    const found = findingsIn(this.outputs);
    this.show(found.length === 0 ? [] : marksFor(this.view.state.doc, found));
  }

  private show(found: readonly Diagnostic[]): void {
    if (found.length > 0 || this.shown) {
      this.shown = found.length > 0;
      this.view.dispatch({ effects: this.showing.reconfigure(this.shown ? SHOWING : []) });
      this.view.dispatch(setDiagnostics(this.view.state, found));
    }
  }
}
