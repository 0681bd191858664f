//! An idiomatic echo server on Tokio: a task for each connection, on the current-thread runtime.
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

struct Options {
    port: u16,
    udp: bool,
    buffer: usize,
}

fn parse() -> Options {
    let mut options = Options { port: 7007, udp: false, buffer: 4096 };
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    for pair in arguments.chunks_exact(2) {
        match pair[0].as_str() {
            "--port" => options.port = pair[1].parse().expect("--port is a number"),
            "--proto" => options.udp = pair[1] == "udp",
            "--buf" => options.buffer = pair[1].parse().expect("--buf is a number"),
            _ => {}
        }
    }
    options
}

async fn serve(mut stream: TcpStream, size: usize) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0u8; size];
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..n]).await?;
    }
}

async fn serve_streams(o: &Options) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", o.port)).await?;
    println!("READY");
    loop {
        let (stream, _) = listener.accept().await?;
        let size = o.buffer;
        tokio::spawn(async move { serve(stream, size).await });
    }
}

async fn serve_datagrams(o: &Options) -> io::Result<()> {
    let socket = UdpSocket::bind(("127.0.0.1", o.port)).await?;
    println!("READY");
    let mut buffer = vec![0u8; o.buffer];
    loop {
        let (n, peer) = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..n], peer).await?;
    }
}

fn main() -> io::Result<()> {
    let options = parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        if options.udp {
            serve_datagrams(&options).await
        } else {
            serve_streams(&options).await
        }
    })
}
