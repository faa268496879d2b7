/** The filters of a notebook: those of its cells, and those that only its kernel has. */

import type { Link } from '../kernel/link.js';
import type { FilterState } from '../kernel/messages.js';
import { type CellState, type FilterCell, stateOf } from '../notebook/filterCell.js';

/** A filter of the notebook; `index` is that of its cell, -1 where it has none. */
export interface FilterRow {
  readonly name: string;
  readonly language: string;
  readonly index: number;
  readonly state: CellState;
  readonly filter: FilterState | null;
}

/** The filters of the notebook's cells, the last cell of each name, then those that only the kernel has. */
export function filterRows(
  places: readonly { readonly cell: FilterCell; readonly index: number }[],
  link: Link | null
): FilterRow[] {
  const rows = new Map<string, FilterRow>();
  for (const { cell, index } of places) {
    const filter = link?.filter(cell.name) ?? null;
    const state = stateOf(cell, filter);
    const before = rows.get(cell.name);
    // Of several cells, the one that was built stands for the filter.
    if (before === undefined || before.state === 'unbuilt' || before.state === 'stale') {
      rows.set(cell.name, { name: cell.name, language: filter?.language ?? cell.language, index, state, filter });
    }
  }
  for (const filter of link?.filters ?? []) {
    if (!rows.has(filter.name)) {
      const state = filter.error === '' ? 'built' : 'failing';
      rows.set(filter.name, { name: filter.name, language: filter.language, index: -1, state, filter });
    }
  }
  return [...rows.values()];
}
