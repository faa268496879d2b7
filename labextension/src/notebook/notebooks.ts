/** The open notebooks. */

import type { CodeEditor } from '@jupyterlab/codeeditor';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { type ISignal, Signal } from '@lumino/signaling';

import { Link } from '../kernel/link.js';
import type { INotebooks, Place } from '../tokens.js';

/** Follows the application's tracker of notebooks. */
export class Notebooks implements INotebooks {
  private readonly links = new Map<NotebookPanel, Link>();
  private readonly signal = new Signal<this, void>(this);

  constructor(private readonly tracker: INotebookTracker) {
    tracker.widgetAdded.connect((_, panel) => this.link(panel));
    tracker.currentChanged.connect(this.tell, this);
    tracker.activeCellChanged.connect(this.tell, this);
    tracker.forEach(panel => this.link(panel));
  }

  get changed(): ISignal<this, void> {
    return this.signal;
  }

  get current(): NotebookPanel | null {
    return this.tracker.currentWidget;
  }

  link(panel: NotebookPanel): Link {
    const known = this.links.get(panel);
    if (known !== undefined) {
      return known;
    }
    const link = new Link(panel.sessionContext);
    this.links.set(panel, link);
    link.changed.connect(this.tell, this);
    panel.disposed.connect(() => {
      this.links.delete(panel);
      link.dispose();
      this.tell();
    });
    return link;
  }

  locate(model: CodeEditor.IModel): Place | null {
    for (const panel of this.links.keys()) {
      const index = panel.content.widgets.findIndex(cell => cell.model === model);
      if (index >= 0) {
        return { panel, index };
      }
    }
    return null;
  }

  private tell(): void {
    this.signal.emit();
  }
}
