//! Access tokens, kept until shortly before they end.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::Mutex;

use crate::{Error, Secret};

/// A token is fetched anew this long before it ends, so that it does not end on its way.
const MARGIN: Duration = Duration::from_secs(60);

/// A token as the vendor gives it.
#[derive(Debug)]
pub(crate) struct Fresh {
    pub(crate) token: Secret,
    pub(crate) lives: Duration,
}

impl Fresh {
    /// Reads `access_token` and `expires_in` (seconds), which WeCom and DingTalk name alike.
    pub(crate) fn read(answer: &Value) -> Option<Self> {
        let token = answer["access_token"].as_str().filter(|it| !it.is_empty())?;
        Some(Self { token: Secret::new(token), lives: Duration::from_secs(answer["expires_in"].as_u64()?) })
    }
}

/// The token of one application. Vendors count fetches, so there is one at a time and all senders share it.
#[derive(Debug, Default)]
pub(crate) struct Token {
    kept: Mutex<Option<(Secret, Instant)>>,
}

impl Token {
    /// The kept token, or a fresh one. `refused` is one that the vendor no longer takes.
    pub(crate) async fn get<F>(&self, refused: Option<&Secret>, fetch: impl FnOnce() -> F) -> Result<Secret, Error>
    where
        F: Future<Output = Result<Fresh, Error>>,
    {
        let mut kept = self.kept.lock().await;
        if let Some((token, ends)) = kept.as_ref()
            && Instant::now() < *ends
            // Another sender may have renewed it while this one was on its way.
            && refused != Some(token)
        {
            return Ok(token.clone());
        }
        *kept = None;
        let fresh = fetch().await?;
        *kept = Some((fresh.token.clone(), Instant::now() + fresh.lives.saturating_sub(MARGIN)));
        Ok(fresh.token)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn many_senders_fetch_once_and_a_refused_token_is_renewed_once() {
        let token = Token::default();
        let fetches = AtomicU32::new(0);
        let fetch = || async {
            let number = fetches.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok(Fresh { token: Secret::new(format!("t{number}")), lives: Duration::from_secs(7200) })
        };
        let (one, two) = tokio::join!(token.get(None, fetch), token.get(None, fetch));
        let (one, two) = (one.expect("a token"), two.expect("a token"));
        assert_eq!((one.expose(), two.expose()), ("t0", "t0"));
        let (three, four) = tokio::join!(token.get(Some(&one), fetch), token.get(Some(&one), fetch));
        assert_eq!((three.expect("a token").expose(), four.expect("a token").expose()), ("t1", "t1"));
        assert_eq!(fetches.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_token_that_ends_within_the_margin_is_not_kept() {
        let token = Token::default();
        let fetches = AtomicU32::new(0);
        let fetch = || async {
            fetches.fetch_add(1, Ordering::SeqCst);
            Ok(Fresh { token: Secret::new("t"), lives: Duration::from_secs(30) })
        };
        token.get(None, fetch).await.expect("a token");
        token.get(None, fetch).await.expect("a token");
        assert_eq!(fetches.load(Ordering::SeqCst), 2);
    }
}
