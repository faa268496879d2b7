/** The bar above a filter's cell: how it stands, and what can be done with it. Only the view: it knows no kernel. */

import { type Action, ACTIONS } from '../actions/actions.js';
import type { CellState } from '../notebook/filterCell.js';

/** What a bar shows. */
export interface Shown {
  readonly name: string;
  readonly state: CellState;
  /** How it stands, in words. */
  readonly label: string;
  /** More of it: the error, the last figures. */
  readonly detail: string;
  /** The action that is under way. */
  readonly running: Action | null;
}

/** The words of a bar, and what its buttons do. */
export interface Uses {
  readonly title: string;
  readonly labelOf: (action: Action) => string;
  readonly captionOf: (action: Action) => string;
  readonly act: (action: Action) => void;
  /** Back to the source. */
  readonly leave: () => void;
}

/** The DOM of one bar. It is one stop of the Tab key; arrows move between its buttons, Escape leaves it. */
export class Bar {
  readonly dom = document.createElement('div');
  private readonly buttons: readonly HTMLButtonElement[];
  private readonly state = document.createElement('span');
  private readonly detail = document.createElement('span');
  private shown: Shown | null = null;

  constructor(private readonly uses: Uses) {
    this.dom.className = 'wh-bar';
    this.dom.setAttribute('role', 'toolbar');
    this.state.className = 'wh-bar-state';
    this.state.setAttribute('role', 'status');
    this.detail.className = 'wh-bar-detail';
    this.buttons = ACTIONS.map(action => this.button(action));
    this.buttons[0]?.setAttribute('tabindex', '0');
    this.dom.append(this.state, this.detail, ...this.buttons);
    // The notebook draws the focus to its editors, and takes keys for its own.
    this.dom.dataset.lmSuppressShortcuts = 'true';
    this.dom.addEventListener('focusin', event => event.stopPropagation());
    this.dom.addEventListener('keydown', event => this.onKey(event));
  }

  show(shown: Shown): void {
    const before = this.shown;
    this.shown = shown;
    if (before?.name !== shown.name) {
      this.dom.setAttribute('aria-label', `${this.uses.title} ${shown.name}`);
    }
    if (before?.label !== shown.label || before.state !== shown.state) {
      this.dom.dataset.state = shown.state;
      this.state.textContent = shown.label;
    }
    if (before?.detail !== shown.detail) {
      this.detail.textContent = shown.detail;
      this.detail.title = shown.detail;
    }
    if (before?.running !== shown.running) {
      for (const [index, button] of this.buttons.entries()) {
        const running = ACTIONS[index] === shown.running;
        button.setAttribute('aria-disabled', String(shown.running !== null));
        button.toggleAttribute('data-running', running);
      }
    }
  }

  focus(): void {
    this.buttons.find(each => each.tabIndex === 0)?.focus();
  }

  private button(action: Action): HTMLButtonElement {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'wh-bar-button';
    button.dataset.action = action;
    button.textContent = this.uses.labelOf(action);
    button.title = this.uses.captionOf(action);
    button.tabIndex = -1;
    // The editor keeps the caret, the notebook its cell.
    button.addEventListener('mousedown', event => event.preventDefault());
    button.addEventListener('click', () => {
      if (this.shown?.running === null) {
        this.uses.act(action);
      }
    });
    return button;
  }

  private onKey(event: KeyboardEvent): void {
    event.stopPropagation();
    const at = this.buttons.findIndex(each => each === event.target);
    const last = this.buttons.length - 1;
    const next = { ArrowRight: at === last ? 0 : at + 1, ArrowLeft: at === 0 ? last : at - 1, Home: 0, End: last }[
      event.key
    ];
    if (event.key === 'Escape') {
      this.uses.leave();
    } else if (at >= 0 && next !== undefined) {
      this.buttons.forEach((each, index) => (each.tabIndex = index === next ? 0 : -1));
      this.buttons[next]?.focus();
    } else {
      return;
    }
    event.preventDefault();
  }
}
