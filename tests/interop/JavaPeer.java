// Java's TLS (JSSE), told on the command line what to do: see test_interop_java.py.

import java.io.FileInputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.List;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

public class JavaPeer {
    private static final char[] PASSWORD = "password".toCharArray();

    public static void main(String[] arguments) throws Exception {
        String role = arguments[0], identity = arguments[1], ca = arguments[2], version = arguments[3];
        SSLContext context = context(identity, ca);
        if (role.equals("server")) {
            serve(context, version);
        } else {
            for (int times = 0; times < 3; times++) {
                ask(context, version, Integer.parseInt(arguments[4]));
            }
        }
    }

    private static SSLContext context(String identity, String ca) throws Exception {
        KeyStore keys = KeyStore.getInstance("PKCS12");
        keys.load(new FileInputStream(identity), PASSWORD);
        KeyManagerFactory keyManagers = KeyManagerFactory.getInstance("PKIX");
        keyManagers.init(keys, PASSWORD);
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        CertificateFactory certificates = CertificateFactory.getInstance("X.509");
        trusted.setCertificateEntry("ca", certificates.generateCertificate(new FileInputStream(ca)));
        TrustManagerFactory trustManagers = TrustManagerFactory.getInstance("PKIX");
        trustManagers.init(trusted);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keyManagers.getKeyManagers(), trustManagers.getTrustManagers(), null);
        return context;
    }

    private static void serve(SSLContext context, String version) throws Exception {
        SSLServerSocket listener = (SSLServerSocket) context.getServerSocketFactory()
            .createServerSocket(0, 5, InetAddress.getLoopbackAddress());
        listener.setEnabledProtocols(new String[] {version});
        listener.setNeedClientAuth(true);
        System.out.println("LISTENING " + listener.getLocalPort());
        while (true) {
            try (SSLSocket socket = (SSLSocket) listener.accept()) {
                InputStream in = socket.getInputStream();
                OutputStream out = socket.getOutputStream();
                byte[] buffer = new byte[65536];
                for (int count; (count = in.read(buffer)) > 0; ) {
                    out.write(buffer, 0, count);
                }
                System.out.println("ENDED");
            } catch (Exception error) {
                System.out.println("ERROR " + error);
            }
        }
    }

    private static void ask(SSLContext context, String version, int port) throws Exception {
        InetAddress host = InetAddress.getLoopbackAddress();
        try (SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(host, port)) {
            socket.setEnabledProtocols(new String[] {version});
            SSLParameters parameters = socket.getSSLParameters();
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            parameters.setServerNames(List.of(new SNIHostName("localhost")));
            socket.setSSLParameters(parameters);
            socket.getOutputStream().write("hello".getBytes());
            System.out.println("GOT " + new String(socket.getInputStream().readNBytes(5)));
        } catch (Exception error) {
            System.out.println("ERROR " + error);
        }
    }
}
