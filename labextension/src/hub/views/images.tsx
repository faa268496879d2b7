/** Images: search, a list, one of them. */

import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import type { ImageDetails, ImageRow } from '../../kernel/messages.js';
import { LANGUAGES } from '../../languages/magicLine.js';
import type { Hub } from '../hub.js';
import { Button, Empty, Problem, size } from './parts.js';

/** What the list does besides showing. */
export interface ImageUses {
  /** Make an image's filter one of the notebook's own. */
  readonly pull: (line: string) => void;
  readonly insert: (line: string) => void;
  readonly rendermime: IRenderMimeRegistry;
}

const TYPING_MS = 150;

/** The list, or the image that was chosen. The focus goes there with the reader, and back to where it was. */
export function ImageList({ hub, trans, uses }: { hub: Hub; trans: TranslationBundle; uses: ImageUses }): JSX.Element {
  const { details } = hub.images;
  const host = React.useRef<HTMLDivElement>(null);
  const before = React.useRef('');
  const now = details?.reference ?? '';
  React.useEffect(() => {
    const left = before.current;
    before.current = now;
    const target = now !== '' ? '.wh-back > button' : left !== '' ? `[data-reference="${CSS.escape(left)}"]` : '';
    if (target !== '') {
      host.current?.querySelector<HTMLElement>(target)?.focus();
    }
  }, [now]);
  return (
    <div ref={host}>
      <div hidden={details !== null}>
        <Search hub={hub} trans={trans} />
        <Found hub={hub} trans={trans} />
        <Examples hub={hub} trans={trans} />
      </div>
      {details !== null && (
        <>
          <div className="wh-back">
            <Button label={trans.__('Back to the list')} onClick={() => void hub.images.open(null)} />
          </div>
          {details.image === null ? (
            <p role="status">{trans.__('Reading %1 …', details.reference)}</p>
          ) : (
            <One image={details.image} trans={trans} uses={uses} />
          )}
        </>
      )}
    </div>
  );
}

function Search({ hub, trans }: { hub: Hub; trans: TranslationBundle }): JSX.Element {
  const timer = React.useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  return (
    <input
      type="search"
      className="wh-search"
      aria-label={trans.__('Search images')}
      placeholder={trans.__('Search images')}
      defaultValue={hub.images.text}
      onChange={event => {
        const text = event.target.value;
        clearTimeout(timer.current);
        timer.current = setTimeout(() => void hub.images.search(text), TYPING_MS);
      }}
    />
  );
}

function Found({ hub, trans }: { hub: Hub; trans: TranslationBundle }): JSX.Element {
  const { found } = hub.images;
  if (found === null) {
    return <p role="status">{hub.client.busy ? trans.__('The kernel is busy; it answers when the cell is done.') : ''}</p>;
  }
  if (found.total === 0) {
    return found.text === '' ? (
      <Empty
        title={trans.__('No images yet')}
        text={trans.__(
          'An image is a filter that was published: by the Push button above its cell, or by %wasm_push. Those of this machine are listed here, with what their publishers say about them.'
        )}
      />
    ) : (
      <p role="status">{trans.__('No image has all of these words.')}</p>
    );
  }
  return (
    <>
      <p role="status" className="wh-quiet">
        {trans._n('%1 image', '%1 images', found.total)}
      </p>
      <ul className="wh-list">
        {found.rows.map(row => (
          <Row key={row.reference} row={row} trans={trans} open={() => void hub.images.open(row.reference)} />
        ))}
      </ul>
      {found.rows.length < found.total && (
        <Button label={trans.__('Show more')} disabled={hub.client.asking === 'images'} onClick={() => void hub.images.more()} />
      )}
      {found.problems.map(each => (
        <Problem key={each.what + each.where} failure={each} />
      ))}
    </>
  );
}

/** Filters to start from, each in any of its languages. */
function Examples({ hub, trans }: { hub: Hub; trans: TranslationBundle }): JSX.Element | null {
  return hub.images.examples.length === 0 ? null : (
    <>
      <h4>{trans.__('Examples to start from')}</h4>
      <ul className="wh-list">
        {hub.images.examples.map(each => (
          <li className="wh-item" key={each.name}>
            <strong>{each.title}</strong>
            <div>{each.description}</div>
            <div className="wh-buttons">
              {each.languages.map(language => (
                <Button
                  key={language}
                  label={titleOf(language)}
                  title={trans.__('Write a cell with %1 in %2', each.name, titleOf(language))}
                  onClick={() => void hub.insertExample(each.name, language)}
                />
              ))}
            </div>
          </li>
        ))}
      </ul>
    </>
  );
}

function titleOf(language: string): string {
  return LANGUAGES.find(each => each.name === language)?.title ?? language;
}

function Row({ row, trans, open }: { row: ImageRow; trans: TranslationBundle; open: () => void }): JSX.Element {
  const facts = [row.language, size(row.size), row.signed ? trans.__('signed') : ''].filter(each => each !== '');
  return (
    <li className="wh-item">
      <button type="button" className="wh-link" data-reference={row.reference} onClick={open}>
        {row.reference}
      </button>
      {row.description !== '' && <div>{row.description}</div>}
      <div className="wh-quiet">{facts.join(', ')}</div>
    </li>
  );
}

function One({ image, trans, uses }: { image: ImageDetails; trans: TranslationBundle; uses: ImageUses }): JSX.Element {
  return (
    <article className="wh-image" aria-label={image.reference}>
      <h3>{image.name}</h3>
      {image.description !== '' && <p>{image.description}</p>}
      <div className="wh-buttons">
        <Button strong label={trans.__('Use in a cell')} onClick={() => uses.pull(image.cell)} />
        {image.trial !== '' && (
          <Button
            label={trans.__('Try')}
            title={trans.__('Open the request tester on it')}
            onClick={() => uses.insert(image.trial)}
          />
        )}
      </div>
      {image.verdicts.length > 0 && (
        <>
          <h4>{trans.__('Who can run it')}</h4>
          <Facts pairs={image.verdicts} />
        </>
      )}
      <h4>{trans.__('Facts')}</h4>
      <Facts pairs={image.facts} />
      {image.schema !== '' && (
        <details>
          <summary>{trans.__('Schema of the configuration')}</summary>
          <pre tabIndex={0}>{image.schema}</pre>
        </details>
      )}
      {image.source !== '' && (
        <details>
          <summary>{trans.__('Source')}</summary>
          <pre tabIndex={0}>{image.source}</pre>
        </details>
      )}
      {image.readme !== '' && (
        <>
          <h4>{trans.__('README')}</h4>
          <Markdown text={image.readme} rendermime={uses.rendermime} />
        </>
      )}
    </article>
  );
}

function Facts({ pairs }: { pairs: readonly (readonly [string, string])[] }): JSX.Element {
  return (
    <dl className="wh-figures">
      {pairs.map(([name, value]) => (
        <React.Fragment key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </React.Fragment>
      ))}
    </dl>
  );
}

/** Somebody else's Markdown, cleaned as the application cleans what it does not trust. */
function Markdown({ text, rendermime }: { text: string; rendermime: IRenderMimeRegistry }): JSX.Element {
  const host = React.useRef<HTMLDivElement>(null);
  React.useEffect(() => {
    const renderer = rendermime.createRenderer('text/markdown');
    const model = rendermime.createModel({ data: { 'text/markdown': text }, trusted: false });
    void renderer.renderModel(model);
    host.current?.replaceChildren(renderer.node);
    return () => renderer.dispose();
  }, [text, rendermime]);
  return <div ref={host} className="wh-readme" />;
}
