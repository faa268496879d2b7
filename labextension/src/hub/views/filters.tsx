/** The filters of the notebook. */

import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { stateLabel } from '../../actions/labels.js';
import type { Figure } from '../../kernel/messages.js';
import type { FilterRow } from '../filters.js';
import type { Hub } from '../hub.js';
import { Button, Empty, size } from './parts.js';

/** What the list does besides showing. */
export interface FilterUses {
  readonly goTo: (index: number) => void;
  readonly newFilter: () => void;
}

/** Every filter with its state and its last figures. */
export function Filters({ hub, trans, uses }: { hub: Hub; trans: TranslationBundle; uses: FilterUses }): JSX.Element {
  const rows = hub.filters;
  if (rows.length === 0) {
    return (
      <Empty
        title={trans.__('No filters in this notebook yet')}
        text={trans.__(
          'A filter is a small program that sees every request and response of a proxy and may change them. Write one in a cell that starts with %%wasm_filter; its buttons appear above it.'
        )}
      >
        <Button strong label={trans.__('Write a first filter')} onClick={uses.newFilter} />
      </Empty>
    );
  }
  return (
    <>
      <ul className="wh-list">
        {rows.map(row => (
          <Row key={row.name} row={row} trans={trans} goTo={uses.goTo} />
        ))}
      </ul>
      <Button label={trans.__('New filter')} onClick={uses.newFilter} />
    </>
  );
}

function Row(props: { row: FilterRow; trans: TranslationBundle; goTo: (index: number) => void }): JSX.Element {
  const { row, trans, goTo } = props;
  const { filter } = row;
  const why = filter?.error || filter?.findings.map(each => `${each.line}: ${each.message}`).join('; ') || '';
  return (
    <li className="wh-item">
      <div className="wh-head">
        {row.index < 0 ? (
          <strong>{row.name}</strong>
        ) : (
          <button type="button" className="wh-link" title={trans.__('Go to the cell')} onClick={() => goTo(row.index)}>
            {row.name}
          </button>
        )}
        <span className="wh-state" data-state={row.state}>
          {stateLabel(row.state, trans)}
        </span>
      </div>
      <div className="wh-quiet">
        {[row.language, filter !== null && filter.size > 0 ? size(filter.size) : '', row.index < 0 ? trans.__('not in a cell') : '']
          .filter(each => each !== '')
          .join(', ')}
      </div>
      {row.state === 'failing' && <div className="wh-problem">{why}</div>}
      {filter !== null && filter.figures.length > 0 && (
        <dl className="wh-figures">
          {filter.figures.map(figure => (
            <React.Fragment key={figure.kind}>
              <dt>{kindLabel(figure, trans)}</dt>
              <dd data-ok={figure.ok}>
                {figure.text}
                {figure.digest === filter.digest ? '' : ` (${trans.__('an earlier build')})`}
              </dd>
            </React.Fragment>
          ))}
        </dl>
      )}
    </li>
  );
}

function kindLabel(figure: Figure, trans: TranslationBundle): string {
  const labels: Record<Figure['kind'], string> = {
    send: trans.__('last answer'),
    bench: trans.__('cost'),
    verify: trans.__('real Envoy'),
    push: trans.__('published as'),
    deploy: trans.__('serves')
  };
  return labels[figure.kind];
}
