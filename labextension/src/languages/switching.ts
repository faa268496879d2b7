/** Give an editor the language that the first line of its document names. */

import { Compartment, type Extension, Text } from '@codemirror/state';
import { type EditorView, type PluginValue, ViewPlugin, type ViewUpdate } from '@codemirror/view';

import { type BodyLanguage, magicLineOf } from './magicLine.js';
import type { Supports } from './support.js';

/** The language of a cell's body; null where its magic line names none that there is; undefined for other cells. */
type Wanted = BodyLanguage | null | undefined;

/**
 * An editor extension that switches the language as the first line is typed.
 *
 * It outranks the language of the cell's MIME type and leaves that alone, so that it does not matter who sets the
 * MIME type and when: the notebook does for every cell when a kernel starts, language servers do as one types.
 */
export function switching(source: string, supports: Supports): Extension {
  const place = new Compartment();
  const wanted = wantedBy(Text.of(source.split('\n')));
  const ready = wanted === undefined ? [] : supports.peek(wanted);
  return [
    place.of(ready ?? []),
    ViewPlugin.define(view => new Switching(view, place, supports, ready === undefined ? undefined : wanted))
  ];
}

class Switching implements PluginValue {
  private wanted: Wanted;
  private gone = false;

  constructor(
    private readonly view: EditorView,
    private readonly place: Compartment,
    private readonly supports: Supports,
    private shown: Wanted
  ) {
    this.wanted = shown;
    this.want(wantedBy(view.state.doc));
  }

  update(update: ViewUpdate): void {
    if (update.docChanged) {
      this.want(wantedBy(update.state.doc));
    }
  }

  destroy(): void {
    this.gone = true;
  }

  private want(wanted: Wanted): void {
    if (wanted !== this.wanted) {
      this.wanted = wanted;
      void this.show(wanted);
    }
  }

  /** An editor cannot be changed while it is being made or updated: this goes on when that is over. */
  private async show(wanted: Wanted): Promise<void> {
    const support = await (wanted === undefined ? [] : this.supports.get(wanted));
    if (!this.gone && this.wanted === wanted && this.shown !== wanted) {
      this.shown = wanted;
      this.view.dispatch({ effects: this.place.reconfigure(support) });
    }
  }
}

function wantedBy(source: Text): Wanted {
  return magicLineOf(source)?.language;
}
