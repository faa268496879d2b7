/** Deployments, as their proxies tell them. */

import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import type { DeploymentState, LogEntry, VersionRow } from '../../kernel/messages.js';
import { keyOf } from '../deployments.js';
import type { Hub } from '../hub.js';
import { Button, Empty } from './parts.js';

interface Shown {
  readonly deployment: DeploymentState;
  readonly hub: Hub;
  readonly trans: TranslationBundle;
}

/** Every deployment with its figures, its log and what can be done with it. */
export function DeploymentList({ hub, trans }: { hub: Hub; trans: TranslationBundle }): JSX.Element {
  const { rows } = hub.deployments;
  if (rows === null) {
    return (
      <p role="status">{hub.client.busy ? trans.__('The kernel is busy; it answers when the cell is done.') : ''}</p>
    );
  }
  if (rows.length === 0) {
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
      {rows.map(each => (
        <Row key={keyOf(each)} deployment={each} hub={hub} trans={trans} />
      ))}
    </ul>
  );
}

function Row({ deployment, hub, trans }: Shown): JSX.Element {
  const { name, state, url } = deployment;
  const { log, versions } = hub.deployments.below(deployment);
  const waiting = hub.client.asking !== null;
  return (
    <li className="wh-item" aria-label={name}>
      <div className="wh-head">
        <strong>{name}</strong>
        <span className="wh-state" data-state={stateOf(state)}>
          {state}
        </span>
      </div>
      <dl className="wh-figures">
        <dt>{trans.__('where')}</dt>
        <dd>
          {/^https?:/.test(url) ? (
            <a href={url} target="_blank" rel="noopener noreferrer">
              {url}
            </a>
          ) : (
            [deployment.target, deployment.place].join(' ')
          )}
        </dd>
        <dt>{trans.__('version')}</dt>
        <dd>
          {deployment.version}, {trans.__('since %1', moment(deployment.since))}
        </dd>
        {url !== '' && (
          <>
            <dt>{trans.__('requests')}</dt>
            <dd>{deployment.requests}</dd>
            <dt>{trans.__('errors')}</dt>
            <dd data-ok={deployment.errors === 0}>{deployment.errors}</dd>
          </>
        )}
      </dl>
      {deployment.told.map(each => (
        <div key={each} className="wh-quiet">
          {each}
        </div>
      ))}
      <div className="wh-buttons">
        <Button
          label={log === null ? trans.__('Show log') : trans.__('Hide log')}
          title={trans.__('What %1 has logged', name)}
          onClick={() => void hub.deployments.toggle('log', deployment)}
        />
        <Button
          label={versions === null ? trans.__('Versions') : trans.__('Hide versions')}
          title={trans.__('What %1 was before, and the way back', name)}
          onClick={() => void hub.deployments.toggle('versions', deployment)}
        />
        <Button
          label={trans.__('Undeploy')}
          title={trans.__('Take %1 out of service', name)}
          disabled={waiting}
          onClick={() => void hub.deployments.undeploy(deployment)}
        />
      </div>
      {versions !== null && <Versions deployment={deployment} rows={versions} hub={hub} trans={trans} />}
      {log !== null && <Log deployment={deployment} lines={log} trans={trans} />}
    </li>
  );
}

/** Every version, the latest first, each but the one at work with the way back to it. */
function Versions({ deployment, rows, hub, trans }: Shown & { rows: readonly VersionRow[] }): JSX.Element {
  return (
    <ol className="wh-versions" aria-label={trans.__('Versions of %1', deployment.name)}>
      {[...rows].reverse().map(each => (
        <li key={each.version} aria-label={trans.__('Version %1', each.version)}>
          <div>
            <strong>{trans.__('Version %1', each.version)}</strong> {moment(each.at)}
            <div className="wh-quiet">{[each.digest.slice(0, 19), each.note].filter(part => part !== '').join(', ')}</div>
          </div>
          {each.version === deployment.version ? (
            <span>{trans.__('at work')}</span>
          ) : (
            <Button
              label={trans.__('Roll back')}
              title={trans.__('Bring version %1 of %2 back', each.version, deployment.name)}
              disabled={hub.client.asking !== null}
              onClick={() => void hub.deployments.rollback(deployment, each.version)}
            />
          )}
        </li>
      ))}
    </ol>
  );
}

/** The last lines; as long as the reader is at the end, the end stays in sight. */
function Log(props: { deployment: DeploymentState; lines: readonly LogEntry[]; trans: TranslationBundle }): JSX.Element {
  const { deployment, lines, trans } = props;
  const box = React.useRef<HTMLPreElement>(null);
  const atEnd = React.useRef(true);
  React.useEffect(() => {
    if (box.current !== null && atEnd.current) {
      box.current.scrollTop = box.current.scrollHeight;
    }
  }, [lines]);
  return (
    <pre
      ref={box}
      className="wh-log"
      role="log"
      tabIndex={0}
      aria-label={trans.__('Log of %1', deployment.name)}
      onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
        atEnd.current = scrollTop + clientHeight >= scrollHeight - 4;
      }}
    >
      {lines.length === 0 ? trans.__('It has logged nothing yet.') : lines.map(line => `[${line.level}] ${line.message}`).join('\n')}
    </pre>
  );
}

function stateOf(state: string): string {
  return state === 'serving' || state === 'accepted' ? 'deployed' : state === 'refused' ? 'failing' : 'stale';
}

/** A moment as people read it: the time alone where it is today's. */
function moment(iso: string): string {
  const when = new Date(iso);
  if (Number.isNaN(when.getTime())) {
    return iso;
  }
  return when.toDateString() === new Date().toDateString() ? when.toLocaleTimeString() : when.toLocaleString();
}
