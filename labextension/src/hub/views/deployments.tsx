/** Deployments, as their proxies tell them. */

import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import type { DeploymentState } from '../../kernel/messages.js';
import type { Hub } from '../hub.js';
import { Button, Empty } from './parts.js';

/** Every deployment with its figures, its log and what can be done with it. */
export function Deployments({ hub, trans }: { hub: Hub; trans: TranslationBundle }): JSX.Element {
  const { deployments } = hub;
  if (deployments === null) {
    return <p role="status">{hub.busy ? trans.__('The kernel is busy; it answers when the cell is done.') : ''}</p>;
  }
  if (deployments.length === 0) {
    return (
      <Empty
        title={trans.__('Nothing is deployed')}
        text={trans.__(
          'The Deploy button above a filter, or %wasm_deploy, serves it from a real Envoy. Deploying again swaps the new code in while requests go on.'
        )}
      />
    );
  }
  return (
    <ul className="wh-list">
      {deployments.map(each => (
        <Row key={`${each.target} ${each.name}`} deployment={each} hub={hub} trans={trans} />
      ))}
    </ul>
  );
}

function Row(props: { deployment: DeploymentState; hub: Hub; trans: TranslationBundle }): JSX.Element {
  const { deployment, hub, trans } = props;
  const { name } = deployment;
  const log = hub.log?.name === name ? hub.log : null;
  const waiting = hub.asking !== null;
  return (
    <li className="wh-item" aria-label={name}>
      <div className="wh-head">
        <strong>{name}</strong>
        <span className="wh-state" data-state={deployment.state === 'serving' ? 'deployed' : 'stale'}>
          {deployment.state}
        </span>
      </div>
      <dl className="wh-figures">
        <dt>{trans.__('where')}</dt>
        <dd>
          {/^https?:/.test(deployment.url) ? (
            <a href={deployment.url} target="_blank" rel="noopener noreferrer">
              {deployment.url}
            </a>
          ) : (
            deployment.target
          )}
        </dd>
        <dt>{trans.__('version')}</dt>
        <dd>{deployment.version}</dd>
        <dt>{trans.__('requests')}</dt>
        <dd>{deployment.requests}</dd>
        <dt>{trans.__('errors')}</dt>
        <dd data-ok={deployment.errors === 0}>{deployment.errors}</dd>
      </dl>
      <div className="wh-buttons">
        <Button
          label={log === null ? trans.__('Show log') : trans.__('Hide log')}
          title={trans.__('What %1 has logged', name)}
          onClick={() => void hub.read(name)}
        />
        <Button
          label={trans.__('Undeploy')}
          title={trans.__('Take %1 out of service', name)}
          disabled={waiting}
          onClick={() => void hub.undeploy(name)}
        />
      </div>
      {log !== null && (
        <pre className="wh-log" role="log" tabIndex={0} aria-label={trans.__('Log of %1', name)}>
          {log.lines.length === 0
            ? trans.__('It has logged nothing yet.')
            : log.lines.map(line => `[${line.level}] ${line.message}`).join('\n')}
        </pre>
      )}
    </li>
  );
}
