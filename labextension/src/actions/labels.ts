/** The words for actions and states, in the user's language. */

import type { TranslationBundle } from '@jupyterlab/translation';

import type { CellState } from '../notebook/filterCell.js';
import type { Action } from './actions.js';

/** What a button says. */
export function labelOf(action: Action, trans: TranslationBundle): string {
  const labels: Record<Action, string> = {
    build: trans.__('Build'),
    send: trans.__('Send'),
    test: trans.__('Test'),
    bench: trans.__('Bench'),
    verify: trans.__('Verify'),
    push: trans.__('Push'),
    deploy: trans.__('Deploy')
  };
  return labels[action];
}

/** What it does, in a sentence. */
export function captionOf(action: Action, trans: TranslationBundle): string {
  const captions: Record<Action, string> = {
    build: trans.__('Build this cell into a WebAssembly module'),
    send: trans.__('Send one request through the filter and show what it did'),
    test: trans.__('Open a form for requests to the filter'),
    bench: trans.__('Measure what the filter costs'),
    verify: trans.__('Send the same requests through the real Envoy and compare'),
    push: trans.__('Publish the filter as an image'),
    deploy: trans.__('Serve the filter from an Envoy on this machine')
  };
  return captions[action];
}

/** How a cell stands. */
export function stateLabel(state: CellState, trans: TranslationBundle): string {
  const labels: Record<CellState, string> = {
    unbuilt: trans.__('not built'),
    built: trans.__('built'),
    stale: trans.__('changed since it was built'),
    failing: trans.__('failing'),
    deployed: trans.__('deployed')
  };
  return labels[state];
}
