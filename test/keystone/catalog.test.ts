import test from 'ava';
import {CellarError} from '../../src/core/errors.ts';
import {type Catalog, type EndpointQuery, findEndpoint} from '../../src/keystone/catalog.ts';

const endpoint = (interface_: string, region: string, url: string) => ({
  interface: interface_,
  region,
  region_id: region,
  url,
});
const catalog: Catalog = [
  {type: 'identity', name: 'keystone', endpoints: [endpoint('public', 'One', 'http://keystone')]},
  {
    type: 'image',
    name: 'glance',
    endpoints: [
      endpoint('admin', 'One', 'http://admin-one'),
      endpoint('public', 'One', 'http://public-one'),
      endpoint('internal', 'Two', 'http://internal-two'),
      endpoint('public', 'Two', 'http://public-two'),
    ],
  },
  {type: 'image', name: 'other', endpoints: [endpoint('public', 'One', 'http://other')]},
];

const finds: [string, EndpointQuery, string][] = [
  ['public is the default', {service_type: 'image'}, 'http://public-one'],
  [
    'the order of interfaces decides',
    {service_type: 'image', valid_interfaces: ['internal', 'public']},
    'http://internal-two',
  ],
  [
    'an interface that is not there is passed over',
    {service_type: 'image', region_name: 'One', valid_interfaces: ['internal', 'public']},
    'http://public-one',
  ],
  ['the region is kept', {service_type: 'image', region_name: 'Two'}, 'http://public-two'],
  ['the name is kept', {service_type: 'image', service_name: 'other'}, 'http://other'],
  ['the old spelling of an interface', {service_type: 'image', valid_interfaces: ['adminURL']}, 'http://admin-one'],
  ["the project's name as type", {service_type: 'glance'}, 'http://public-one'],
];

for (const [name, query, url] of finds) test(name, t => t.is(findEndpoint(catalog, query), url));

test('a type with a version is the same service', t => {
  const old: Catalog = [{type: 'imagev2', endpoints: [endpoint('public', 'One', 'http://old')]}];
  t.is(findEndpoint(old, {service_type: 'image'}), 'http://old');
});

test('what is missing is told with what is there', t => {
  const query = {
    service_type: 'image',
    service_name: 'glance',
    region_name: 'Three',
    valid_interfaces: ['internal', 'public'],
  };
  const error = t.throws(() => findEndpoint(catalog, query), {instanceOf: CellarError});
  t.is(error.kind, 'config');
  t.is(
    error.message,
    "Keystone's catalog has no endpoint of service type image named glance, interface internal or public in region Three; " +
      'it has: identity named keystone (public in One); ' +
      'image named glance (admin in One, public in One, internal in Two, public in Two); image named other (public in One)',
  );
});

test('an empty catalog hints at the scope', t => {
  t.throws(() => findEndpoint([], {service_type: 'image'}), {message: /it is empty: the token may have no scope$/});
});
