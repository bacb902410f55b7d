import { afterEach, expect, it, vi } from 'vitest';
import { followAddress, pageOf } from './address';

afterEach(() => history.replaceState(null, '', '/'));

it('knows the pages that the tray and notices name, and nothing else', () => {
  expect(pageOf('#/accounts/0193-ab_C')).toEqual({ at: 'account', id: '0193-ab_C' });
  expect(pageOf('#/providers/crm.one_2-b')).toEqual({ at: 'provider', name: 'crm.one_2-b' });
  expect(pageOf('#/signout')).toEqual({ at: 'sign-out-all' });
  for (const other of ['', '#', '#view', '#/accounts/', '#/accounts/a/b', '#/providers/', '#/providers/A', '#/providers/a/b', '#/accounts/%3Cb%3E', '#/signout/x', '#/add']) {
    expect(pageOf(other), other).toBeNull();
  }
});

it('reads the address at the start and at each change, and empties it every time', () => {
  const wanted = vi.fn();
  history.replaceState(null, '', '/index.html?x=1#/accounts/a');
  const end = followAddress(wanted);
  expect(wanted).toHaveBeenLastCalledWith({ at: 'account', id: 'a' });
  expect(location.pathname + location.search + location.hash).toBe('/index.html?x=1');

  history.replaceState(null, '', '#/signout');
  dispatchEvent(new HashChangeEvent('hashchange'));
  expect(wanted).toHaveBeenLastCalledWith({ at: 'sign-out-all' });
  expect(location.hash).toBe('');

  end();
  history.replaceState(null, '', '#/accounts/b');
  dispatchEvent(new HashChangeEvent('hashchange'));
  expect(wanted).toHaveBeenCalledTimes(2);
});

it('leaves the address alone that a link within the page made', () => {
  const wanted = vi.fn();
  history.replaceState(null, '', '#view');
  followAddress(wanted)();
  expect(wanted).not.toHaveBeenCalled();
  expect(location.hash).toBe('#view');
});
