//! What any answer costs on this machine: the same bytes to an echo over loopback TCP and back.

use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// About what a call with a short message takes.
const BYTES: usize = 512;

/// So many round trips, one after the other.
pub async fn measure(count: usize) -> io::Result<Vec<Duration>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut near = TcpStream::connect(listener.local_addr()?).await?;
    let (mut far, _) = listener.accept().await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let echo = tokio::spawn(async move {
        let mut bytes = [0; BYTES];
        while far.read_exact(&mut bytes).await.is_ok() {
            far.write_all(&bytes).await?;
        }
        Ok::<_, io::Error>(())
    });
    let mut bytes = [7; BYTES];
    let mut taken = Vec::new();
    for _ in 0..count {
        let begun = Instant::now();
        near.write_all(&bytes).await?;
        near.read_exact(&mut bytes).await?;
        taken.push(begun.elapsed());
    }
    drop(near);
    echo.await.map_err(io::Error::other)??;
    Ok(taken)
}
