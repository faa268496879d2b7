/**
 * Marks as an editor shows them: underlined, beside their line, with the message under the pointer and by the keyboard.
 *
 * The lint package does as much and more, and is a sixth of what a page would load for us.
 */

import { type EditorState, type Extension, RangeSet, StateEffect, StateField, type TransactionSpec } from '@codemirror/state';
import {
  type Command,
  Decoration,
  type DecorationSet,
  EditorView,
  gutter,
  GutterMarker,
  hoverTooltip,
  keymap,
  showTooltip,
  type Tooltip,
  WidgetType
} from '@codemirror/view';

/** One message about a part of the source. `code` is the compiler's own name for it. */
export interface Mark {
  readonly from: number;
  readonly to: number;
  readonly severity: 'error' | 'warning' | 'info';
  readonly message: string;
  readonly code?: string;
}

/** What is said of one place. */
interface Spot {
  readonly from: number;
  readonly to: number;
  readonly marks: readonly Mark[];
}

const ORDER: readonly Mark['severity'][] = ['error', 'warning', 'info'];

const put = StateEffect.define<readonly Mark[]>();
const tell = StateEffect.define<Tooltip | null>();

/** Exactly these marks, in an editor that has `showing`. */
export function setMarks(marks: readonly Mark[]): TransactionSpec {
  return { effects: put.of(marks) };
}

class Point extends WidgetType {
  constructor(private readonly severity: string) {
    super();
  }

  override eq(other: Point): boolean {
    return other.severity === this.severity;
  }

  toDOM(): HTMLElement {
    return element(`wh-mark-point wh-mark-point-${this.severity}`);
  }
}

class Beside extends GutterMarker {
  constructor(private readonly severity: string) {
    super();
  }

  override eq(other: Beside): boolean {
    return other.severity === this.severity;
  }

  override toDOM(): HTMLElement {
    return element(`wh-beside wh-beside-${this.severity}`);
  }
}

const marked = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(value, transaction) {
    const effect = transaction.effects.filter(each => each.is(put)).at(-1);
    return effect === undefined ? value.map(transaction.changes) : underlined(effect.value as readonly Mark[]);
  },
  provide: field => EditorView.decorations.from(field)
});

/** The message that was asked for by key or beside a line, until the caret moves, the source changes or the focus goes. */
const told = StateField.define<Tooltip | null>({
  create: () => null,
  update(value, transaction) {
    const effect = transaction.effects.filter(each => each.is(tell)).at(-1);
    if (effect !== undefined) {
      return effect.value as Tooltip | null;
    }
    return transaction.docChanged || transaction.selection ? null : value;
  },
  provide: field => showTooltip.from(field)
});

/** Shows marks; F8 and Shift+F8 go from one to the next, as in other editors. */
export const showing: Extension = [
  marked,
  told,
  hoverTooltip(
    ({ state }, position) => {
      const found = spots(state, position, position);
      return found.length === 0 ? null : tooltip(found);
    },
    { hideOnChange: true }
  ),
  gutter({
    class: 'wh-gutter',
    markers: ({ state }) => {
      const lines = new Map<number, Mark[]>();
      for (const { from, marks } of spots(state)) {
        const start = state.doc.lineAt(from).from;
        lines.set(start, [...(lines.get(start) ?? []), ...marks]);
      }
      return RangeSet.of([...lines].map(([start, marks]) => new Beside(worst(marks)).range(start)));
    },
    domEventHandlers: {
      mouseover(view, { from, to }, { target }) {
        if (target instanceof Element && target.matches('.wh-beside')) {
          const hide = (): void => view.dispatch({ effects: tell.of(null) });
          view.dispatch({ effects: tell.of(tooltip(spots(view.state, from, to), target, hide)) });
        }
        return false;
      },
      mouseout(view, _, event) {
        // The message stays while the pointer is on it.
        const { relatedTarget } = event as MouseEvent;
        if (!(relatedTarget instanceof Element && relatedTarget.closest('.wh-told') !== null)) {
          view.dispatch({ effects: tell.of(null) });
        }
        return false;
      }
    }
  }),
  EditorView.focusChangeEffect.of((_state, focusing) => (focusing ? null : tell.of(null))),
  keymap.of([
    {
      key: 'F8',
      run: stepBy((all, { from, to }) => all.find(each => each.from > from || (each.from === from && each.to > to)) ?? all[0]),
      shift: stepBy(
        (all, { from, to }) => all.filter(each => each.from < from || (each.from === from && each.to < to)).at(-1) ?? all.at(-1)
      )
    }
  ])
];

function stepBy(choose: (all: readonly Spot[], now: { from: number; to: number }) => Spot | undefined): Command {
  return view => {
    const next = choose(spots(view.state), view.state.selection.main);
    if (next === undefined) {
      return false;
    }
    view.dispatch({
      selection: { anchor: next.from, head: next.to },
      scrollIntoView: true,
      effects: [
        tell.of(tooltip([next])),
        ...next.marks.map(each => EditorView.announce.of(`${each.severity}: ${each.message}`))
      ]
    });
    return true;
  };
}

/** Marks of the same place are one mark, as bad as the worst of them. */
function underlined(marks: readonly Mark[]): DecorationSet {
  const places = new Map<string, Mark[]>();
  for (const mark of marks) {
    const key = `${mark.from} ${mark.to}`;
    places.set(key, [...(places.get(key) ?? []), mark]);
  }
  const ranges = [...places.values()].map(group => {
    const { from, to } = group[0] as Mark;
    const severity = worst(group);
    return from < to
      ? Decoration.mark({ class: `wh-mark wh-mark-${severity}`, marks: group }).range(from, to)
      : Decoration.widget({ widget: new Point(severity), marks: group }).range(from);
  });
  return Decoration.set(ranges, true);
}

function spots(state: EditorState, start = 0, end = state.doc.length): Spot[] {
  const found: Spot[] = [];
  state.field(marked).between(start, end, (from, to, { spec }) => {
    found.push({ from, to, marks: (spec as Spot).marks });
  });
  return found;
}

function worst(marks: readonly Mark[]): string {
  return ORDER.find(severity => marks.some(each => each.severity === severity)) ?? 'info';
}

function tooltip(found: readonly Spot[], beside?: Element, leave?: () => void): Tooltip {
  return {
    pos: Math.min(...found.map(each => each.from)),
    end: Math.max(...found.map(each => each.to)),
    above: beside === undefined,
    clip: beside === undefined, // a gutter is beside what counts as in sight
    create: () => {
      const dom = element('wh-told');
      for (const { severity, message, code } of found.flatMap(each => each.marks)) {
        const line = dom.appendChild(element(`wh-message wh-message-${severity}`));
        line.textContent = message;
        if (code !== undefined) {
          line.appendChild(element('wh-code')).textContent = code;
        }
      }
      if (leave !== undefined) {
        dom.addEventListener('mouseleave', leave);
      }
      return beside === undefined ? { dom } : { dom, getCoords: () => beside.getBoundingClientRect() };
    }
  };
}

function element(className: string): HTMLElement {
  const made = document.createElement('div');
  made.className = className;
  return made;
}
