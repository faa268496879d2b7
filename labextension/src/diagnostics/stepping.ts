/**
 * From mark to mark by the keyboard, with the message shown and announced.
 *
 * Later versions of the lint package show it themselves, but by a function that the editors of older JupyterLabs lack:
 * therefore its version is fixed.
 */

import { type Diagnostic, forEachDiagnostic, nextDiagnostic, previousDiagnostic } from '@codemirror/lint';
import { type Extension, StateEffect, StateField } from '@codemirror/state';
import { type Command, EditorView, keymap, showTooltip, type Tooltip } from '@codemirror/view';

const tell = StateEffect.define<Diagnostic[]>();

/** The messages of the mark that was stepped to, until the caret moves, the source changes or the focus is lost. */
const told = StateField.define<Tooltip | null>({
  create: () => null,
  update(value, transaction) {
    for (const effect of transaction.effects) {
      if (effect.is(tell)) {
        return effect.value.length > 0 ? tooltip(effect.value) : null;
      }
    }
    return transaction.docChanged || transaction.selection ? null : value;
  },
  provide: field => showTooltip.from(field)
});

/** F8 and Shift+F8, as in other editors. */
export const stepping: Extension = [
  told,
  EditorView.focusChangeEffect.of((_state, focusing) => (focusing ? null : tell.of([]))),
  keymap.of([{ key: 'F8', run: stepBy(nextDiagnostic), shift: stepBy(previousDiagnostic) }])
];

function stepBy(step: Command): Command {
  return view => {
    if (!step(view)) {
      return false;
    }
    const { from, to } = view.state.selection.main;
    const found: Diagnostic[] = [];
    forEachDiagnostic(view.state, (diagnostic, start, end) => {
      if (start === from && end === to) {
        found.push(diagnostic);
      }
    });
    view.dispatch({
      effects: [tell.of(found), ...found.map(each => EditorView.announce.of(`${each.severity}: ${each.message}`))]
    });
    return true;
  };
}

function tooltip(found: readonly Diagnostic[]): Tooltip {
  return {
    pos: Math.min(...found.map(each => each.from)),
    above: true,
    create: () => {
      const dom = document.createElement('div');
      dom.className = 'cm-tooltip-lint';
      for (const each of found) {
        const message = dom.appendChild(document.createElement('div'));
        message.className = `cm-diagnostic cm-diagnostic-${each.severity}`;
        message.textContent = each.message;
      }
      return { dom };
    }
  };
}
