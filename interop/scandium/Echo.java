// A DTLS server made of Eclipse Californium's Scandium, which echoes. Arguments: the length of its Connection IDs; an
// identity; its key in hexadecimal; and optionally a file with its private key and chain, and one with the CAs of clients. It says its
// port, every connection that a handshake has made, and ends when its input does.

import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;
import org.eclipse.californium.elements.RawData;
import org.eclipse.californium.elements.config.CertificateAuthenticationMode;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.elements.util.SslContextUtil;
import org.eclipse.californium.elements.util.StringUtil;
import org.eclipse.californium.scandium.ConnectionListener;
import org.eclipse.californium.scandium.DTLSConnector;
import org.eclipse.californium.scandium.config.DtlsConfig;
import org.eclipse.californium.scandium.config.DtlsConnectorConfig;
import org.eclipse.californium.scandium.dtls.CertificateType;
import org.eclipse.californium.scandium.dtls.Connection;
import org.eclipse.californium.scandium.dtls.SingleNodeConnectionIdGenerator;
import org.eclipse.californium.scandium.dtls.pskstore.MultiPskStore;
import org.eclipse.californium.scandium.dtls.x509.SingleCertificateProvider;
import org.eclipse.californium.scandium.dtls.x509.StaticCertificateVerifier;

public class Echo {
    public static void main(String[] args) throws Exception {
        Configuration config = new Configuration(DtlsConfig.DEFINITIONS);
        DtlsConnectorConfig.Builder b = new DtlsConnectorConfig.Builder(config);
        b.setAddress(new InetSocketAddress("127.0.0.1", 0));
        b.set(DtlsConfig.DTLS_ROLE, DtlsConfig.DtlsRole.SERVER_ONLY);
        b.set(DtlsConfig.DTLS_RECEIVER_THREAD_COUNT, 1).set(DtlsConfig.DTLS_CONNECTOR_THREAD_COUNT, 1);
        b.set(DtlsConfig.DTLS_RETRANSMISSION_TIMEOUT, 500, TimeUnit.MILLISECONDS);
        b.set(DtlsConfig.DTLS_RECOMMENDED_CIPHER_SUITES_ONLY, false);
        b.setConnectionIdGenerator(new SingleNodeConnectionIdGenerator(Integer.parseInt(args[0])));
        MultiPskStore keys = new MultiPskStore();
        keys.setKey(args[1], StringUtil.hex2ByteArray(args[2]));
        b.setPskStore(keys);
        if (args.length > 3) {
            SslContextUtil.Credentials own = SslContextUtil.loadCredentials(args[3]);
            b.setCertificateIdentityProvider(new SingleCertificateProvider(own.getPrivateKey(), own.getCertificateChain(), CertificateType.X_509));
            b.setCertificateVerifier(StaticCertificateVerifier.builder().setTrustedCertificates(SslContextUtil.loadTrustedCertificates(args[4])).build());
            b.set(DtlsConfig.DTLS_CLIENT_AUTHENTICATION_MODE, CertificateAuthenticationMode.NEEDED);
        }
        b.setConnectionListener(new Established());
        DTLSConnector server = new DTLSConnector(b.build());
        server.setRawDataReceiver(in -> server.send(RawData.outbound(in.getBytes(), in.getEndpointContext(), null, false)));
        server.start();
        say("port " + server.getAddress().getPort());
        while (System.in.read() >= 0) continue;
        server.destroy();
    }

    static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    static class Established implements ConnectionListener {
        public void onConnectionEstablished(Connection c) {
            say("established");
        }

        public void onConnectionRemoved(Connection c) {}

        public boolean onConnectionUpdatesSequenceNumbers(Connection c, boolean write) { return false; }

        public boolean onConnectionMacError(Connection c) { return false; }

        public void beforeExecution(Connection c) {}

        public void updateExecution(Connection c) {}

        public void afterExecution(Connection c) {}
    }
}
