/** Keep an editor's marks in step with the cell's outputs and its source. */

import { Compartment, type Extension } from '@codemirror/state';
import { type EditorView, type PluginValue, ViewPlugin, type ViewUpdate } from '@codemirror/view';

import type { CodeCellModel, Outputs } from '../cellModel.js';
import { readFilterCell } from '../notebook/filterCell.js';
import type { INotebooks } from '../tokens.js';
import { findingsIn, marksFor } from './findings.js';
import type { Findings } from './protocol.js';
import { type Mark, setMarks, showing } from './shown.js';

/** After the last key, the source is compared with what the findings are about: it may be the old one again. */
const SETTLED_MS = 250;

/**
 * An editor extension that marks what is known about the source of its cell: by the cell's outputs, where it did not
 * build, and by the kernel, where it failed at work.
 */
export function marks(cell: CodeCellModel, notebooks: INotebooks | null): Extension {
  const place = new Compartment();
  return [place.of([]), ViewPlugin.define(view => new Marks(view, cell, notebooks, place))];
}

class Marks implements PluginValue {
  /** The marks that are shown, as text; empty where there are none. */
  private shown = '';
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** The cell forgets its outputs before its editor goes. */
  private readonly outputs: Outputs;

  constructor(
    private readonly view: EditorView,
    private readonly cell: CodeCellModel,
    private readonly notebooks: INotebooks | null,
    private readonly place: Compartment
  ) {
    this.outputs = cell.outputs;
    this.outputs.changed.connect(this.onNews, this);
    notebooks?.changed.connect(this.onNews, this);
    this.onNews();
  }

  update(update: ViewUpdate): void {
    if (!update.docChanged) {
      return;
    }
    if (this.shown !== '') {
      this.after(0, () => this.show([]));
    } else if (this.outputs.length > 0 || this.notebooks !== null) {
      this.after(SETTLED_MS, () => this.compare());
    }
  }

  destroy(): void {
    clearTimeout(this.timer);
    this.outputs.changed.disconnect(this.onNews, this);
    this.notebooks?.changed.disconnect(this.onNews, this);
  }

  /** A view cannot be changed while it is being made or updated, and outputs come in bursts. */
  private onNews(): void {
    this.after(0, () => this.compare());
  }

  private after(milliseconds: number, act: () => void): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(act, milliseconds);
  }

  private compare(): void {
    const found = [...findingsIn(this.outputs), ...this.failures()];
    this.show(found.length === 0 ? [] : marksFor(this.view.state.doc, found));
  }

  /** Where the kernel has seen this cell's filter fail. */
  private failures(): Findings[] {
    const { notebooks } = this;
    const name = notebooks === null ? undefined : readFilterCell(this.view.state.doc)?.name;
    if (notebooks === null || name === undefined) {
      return [];
    }
    const place = notebooks.locate(this.cell);
    const filter = place === null ? null : notebooks.link(place.panel).filter(name);
    return filter === null ? [] : [{ diagnostics: filter.findings, source: filter.source }];
  }

  private show(found: readonly Mark[]): void {
    const shown = found.length > 0 ? JSON.stringify(found) : '';
    // To show them anew would take away the message that is being read.
    if (shown !== this.shown) {
      this.shown = shown;
      this.view.dispatch({ effects: this.place.reconfigure(found.length > 0 ? showing : []) });
      this.view.dispatch(setMarks(found));
    }
  }
}
