//! A stream that does not wait for ever for a client that takes nothing.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// Fails with [`io::ErrorKind::TimedOut`] when nothing of what is written is taken for a time. Waiting for something to
/// read has no limit here.
pub struct Patient<S> {
    stream: S,
    limit: Duration,
    /// Runs while the client takes nothing.
    out: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    /// Writes to `stream` as long as something is taken every `limit`.
    pub const fn new(stream: S, limit: Duration) -> Self {
        Self { stream, limit, out: None }
    }

    fn watch<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.out = None;
            return polled;
        }
        let limit = self.limit;
        let out = self.out.get_or_insert_with(|| Box::pin(sleep(limit)));
        out.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A socket has nothing to flush: ready says nothing about the client, and must not restart the clock.
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const LIMIT: Duration = Duration::from_millis(20);
    /// Far more than a test takes; a failure ends instead of hanging.
    const BOUND: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (ours, _theirs) = duplex(8);
        let mut ours = Patient::new(ours, LIMIT);
        let written = tokio::time::timeout(BOUND, ours.write_all(&[0; 9])).await.unwrap();
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_client_that_takes_everything_gets_everything_however_long_it_had_nothing_to_read() {
        let (ours, mut theirs) = duplex(8);
        let mut ours = Patient::new(ours, BOUND);
        let mut taken = Vec::new();
        let (written, read) = tokio::join!(
            async {
                let written = ours.write_all(&[7; 1000]).await;
                drop(ours);
                written
            },
            theirs.read_to_end(&mut taken),
        );
        written.unwrap();
        assert_eq!((read.unwrap(), taken.len()), (1000, 1000));
    }

    #[tokio::test]
    async fn each_byte_that_is_taken_starts_the_time_anew() {
        let (ours, mut theirs) = duplex(1);
        let mut ours = Patient::new(ours, BOUND);
        ours.write_all(b"a").await.unwrap();
        let stuck = futures_util::poll!(std::pin::pin!(ours.write_all(b"b")));
        assert!(stuck.is_pending() && ours.out.is_some());
        assert_eq!(theirs.read_u8().await.unwrap(), b'a');
        ours.write_all(b"b").await.unwrap();
        assert!(ours.out.is_none());
    }
}
