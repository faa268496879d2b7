/** Give each filter's cell its bar, and keep it in step with the source and the kernel. */

import type { CodeEditor } from '@jupyterlab/codeeditor';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Compartment, type Extension } from '@codemirror/state';
import { type EditorView, type PluginValue, showPanel, ViewPlugin, type ViewUpdate } from '@codemirror/view';

import type { Action } from '../actions/actions.js';
import { captionOf, labelOf, stateLabel } from '../actions/labels.js';
import type { Runner } from '../actions/runner.js';
import type { FilterState } from '../kernel/messages.js';
import { mismatchOf } from '../kernel/versions.js';
import { magicLineOf } from '../languages/magicLine.js';
import { type CellState, readFilterCell, stateOf } from '../notebook/filterCell.js';
import type { INotebooks } from '../tokens.js';
import { Bar, type Shown } from './bar.js';

/** After the last key, the source is compared with what was built. */
const SETTLED_MS = 200;

/** What bars need of the application. */
export interface Surroundings {
  readonly notebooks: INotebooks;
  readonly runner: Runner;
  readonly trans: TranslationBundle;
  /** Whether bars are wanted at all. */
  wanted(): boolean;
}

/** An editor extension that shows the bar while the cell is a filter's. */
export function toolbar(model: CodeEditor.IModel, around: Surroundings, bars: Bars): Extension {
  const place = new Compartment();
  return [place.of([]), ViewPlugin.define(view => new Toolbar(view, model, around, place, bars))];
}

/** The bars there are, by the model of their cell. */
export class Bars {
  private readonly shown = new Map<CodeEditor.IModel, Toolbar>();

  add(model: CodeEditor.IModel, bar: Toolbar): void {
    this.shown.set(model, bar);
  }

  remove(model: CodeEditor.IModel, bar: Toolbar): void {
    if (this.shown.get(model) === bar) {
      this.shown.delete(model);
    }
  }

  /** Move the focus into the bar of a cell. False where it has none. */
  focus(model: CodeEditor.IModel): boolean {
    return this.shown.get(model)?.focus() ?? false;
  }

  /** Tell a cell's bar that an action is under way; null when it is over. */
  running(model: CodeEditor.IModel, action: Action | null): void {
    this.shown.get(model)?.setRunning(action);
  }

  refresh(): void {
    for (const each of this.shown.values()) {
      each.refresh();
    }
  }
}

class Toolbar implements PluginValue {
  private bar: Bar | null = null;
  private running: Action | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly view: EditorView,
    private readonly model: CodeEditor.IModel,
    private readonly around: Surroundings,
    private readonly place: Compartment,
    private readonly bars: Bars
  ) {
    bars.add(model, this);
    around.notebooks.changed.connect(this.refresh, this);
    this.refresh();
  }

  update(update: ViewUpdate): void {
    if (update.docChanged) {
      this.after(SETTLED_MS);
    }
  }

  destroy(): void {
    clearTimeout(this.timer);
    this.bars.remove(this.model, this);
    this.around.notebooks.changed.disconnect(this.refresh, this);
  }

  /** A view cannot be changed while it is being made or updated. */
  refresh(): void {
    this.after(0);
  }

  focus(): boolean {
    this.bar?.focus();
    return this.bar !== null;
  }

  setRunning(action: Action | null): void {
    this.running = action;
    this.refresh();
  }

  private after(milliseconds: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.show(), milliseconds);
  }

  private show(): void {
    const shown = this.around.wanted() ? this.read() : null;
    if ((shown === null) !== (this.bar === null)) {
      const bar = shown === null ? null : this.make();
      this.bar = bar;
      const panel = bar === null ? [] : showPanel.of(() => ({ dom: bar.dom, top: true }));
      this.view.dispatch({ effects: this.place.reconfigure(panel) });
      this.view.dom.closest('.jp-CodeCell')?.classList.toggle('wh-filter-cell', bar !== null);
    }
    if (shown !== null) {
      this.bar?.show(shown);
    }
  }

  private read(): Shown | null {
    const { doc } = this.view.state;
    const cell = magicLineOf(doc) === null ? null : readFilterCell(doc);
    const place = cell === null ? null : this.around.notebooks.locate(this.model);
    if (cell === null || place === null) {
      return null;
    }
    const { notebooks, trans } = this.around;
    const link = notebooks.link(place.panel);
    const filter = link.filter(cell.name);
    const state = stateOf(cell, filter);
    const detail = link.state === 'foreign' ? mismatchOf(link, trans) : detailOf(state, filter);
    return { name: cell.name, state, label: stateLabel(state, trans), detail, running: this.running };
  }

  private make(): Bar {
    const { trans } = this.around;
    return new Bar({
      title: trans.__('Filter'),
      labelOf: action => labelOf(action, trans),
      captionOf: action => captionOf(action, trans),
      act: action => void this.act(action),
      leave: () => this.view.focus()
    });
  }

  private async act(action: Action): Promise<void> {
    const place = this.around.notebooks.locate(this.model);
    const found = place === null ? null : this.around.runner.filterAt(place);
    if (found !== null) {
      this.setRunning(action);
      try {
        await this.around.runner.run(action, found);
      } finally {
        this.setRunning(null);
      }
    }
  }
}

/** What is said beside the state: why it fails, or the last figures of this very module. */
function detailOf(state: CellState, filter: FilterState | null): string {
  if (filter === null || state === 'stale') {
    return '';
  }
  if (state === 'failing') {
    const first = filter.findings[0];
    return filter.error || (first === undefined ? '' : `${first.line}: ${first.message}`);
  }
  return filter.figures
    .filter(each => each.digest === filter.digest)
    .map(each => each.text)
    .join(' · ');
}
