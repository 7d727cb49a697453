/** The few Keystone calls that the lab makes, over plain HTTP. */

export type Account = {username: string; password: string; project: string; domain: string};

export type Call = {token?: string; method?: string; body?: object | undefined; headers?: Record<string, string>};

/** One JSON call; anything but 2xx is an error that holds the answer. */
export async function apiCall<T = unknown>(url: string, call: Call = {}): Promise<T> {
  const response = await apiFetch(url, call);
  const text = await response.text();
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

export async function apiFetch(url: string, {token, method = 'GET', body, headers = {}}: Call): Promise<Response> {
  const response = await fetch(url, {
    method,
    headers: {'Content-Type': 'application/json', ...(token === undefined ? {} : {'X-Auth-Token': token}), ...headers},
    ...(body === undefined ? {} : {body: JSON.stringify(body)}),
    signal: AbortSignal.timeout(60_000),
  });
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${(await response.text()).slice(0, 500)}`);
  return response;
}

/** A token of the account, scoped to its project. */
export async function issueToken(url: string, {username, password, project, domain}: Account): Promise<string> {
  const user = {name: username, password, domain: {name: domain}};
  const scope = {project: {name: project, domain: {name: domain}}};
  const body = {auth: {identity: {methods: ['password'], password: {user}}, scope}};
  const response = await apiFetch(`${url}/auth/tokens`, {method: 'POST', body});
  await response.arrayBuffer();
  const token = response.headers.get('x-subject-token');
  if (!token) throw new Error(`Keystone at ${url} sent no token`);
  return token;
}
