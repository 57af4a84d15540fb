//! What stands before gateways in production, in its simplest form: new connections go to one that takes them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A proxy before two gateways.
pub(crate) struct Proxy {
    address: SocketAddr,
    behind: Arc<Mutex<[String; 2]>>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Starts one before these.
    pub(crate) async fn start(behind: [String; 2]) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let behind = Arc::new(Mutex::new(behind));
        let known = behind.clone();
        let task = tokio::spawn(async move {
            for turn in 0.. {
                let Ok((client, _)) = listener.accept().await else { return };
                tokio::spawn(carry(client, known.clone(), turn));
            }
        });
        Proxy { address, behind, task }
    }

    /// Where callers go.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A gateway is elsewhere now.
    pub(crate) fn leads_to(&self, which: usize, url: String) {
        self.behind.lock().unwrap()[which] = url;
    }
}

/// Takes the first of the two that accepts, beginning with one and then with the other.
async fn carry(mut client: TcpStream, behind: Arc<Mutex<[String; 2]>>, turn: usize) {
    for at in [turn % 2, (turn + 1) % 2] {
        let address = behind.lock().unwrap()[at].trim_start_matches("http://").to_owned();
        if let Ok(mut gateway) = TcpStream::connect(&address).await {
            let _ = tokio::io::copy_bidirectional(&mut client, &mut gateway).await;
            return;
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}
