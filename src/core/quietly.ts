/** The listener, whose own failure is no reason to end what it listens to, nor to keep the news from others. */
export const quietly =
  <News extends unknown[]>(listener: ((...news: News) => void) | undefined) =>
  (...news: News): void => {
    try {
      listener?.(...news);
    } catch {}
  };
