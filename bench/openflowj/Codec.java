// bench/codec.ts through openflowj: reads lines `CASE CALLS`, does it that often, and answers each with the nanoseconds of processor
// time that this process took. The line `hex` is answered with the flow-mod and the packet-in as they are on the wire.
import com.sun.management.OperatingSystemMXBean;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.util.HexFormat;
import java.util.List;
import org.projectfloodlight.openflow.protocol.*;
import org.projectfloodlight.openflow.protocol.match.MatchField;
import org.projectfloodlight.openflow.types.*;

class Codec {
  static final OFFactory of = OFFactories.getFactory(OFVersion.OF_13);
  static final OFMessageReader<OFMessage> reader = of.getReader();
  static final int many = 512;
  static final ByteBuf out = Unpooled.buffer(1 << 17);
  static long sink;

  static OFMessage flowMod(int i) {
    return of.buildFlowAdd()
        .setXid(i)
        .setCookie(U64.of(0x6c32736d00000007L))
        .setTableId(TableId.of(2))
        .setPriority(100)
        .setBufferId(OFBufferId.NO_BUFFER)
        .setOutPort(OFPort.ANY)
        .setOutGroup(OFGroup.ANY)
        .setMatch(of.buildMatch()
            .setExact(MatchField.IN_PORT, OFPort.of(3 + i))
            .setExact(MatchField.ETH_DST, MacAddress.of(0x020000000001L + i))
            .build())
        .setInstructions(List.of(of.instructions().applyActions(List.of(of.actions().output(OFPort.of(4 + i), 0)))))
        .build();
  }

  static OFMessage packetIn() {
    return of.buildPacketIn()
        .setXid(0)
        .setBufferId(OFBufferId.NO_BUFFER)
        .setTotalLen(60)
        .setReason(OFPacketInReason.ACTION)
        .setTableId(TableId.of(1))
        .setCookie(U64.of(5))
        .setMatch(of.buildMatch()
            .setExact(MatchField.IN_PORT, OFPort.of(3))
            .setExact(MatchField.METADATA, OFMetadata.ofRaw(7))
            .build())
        .setData(new byte[60])
        .build();
  }

  static final OFMessage ready = flowMod(0);
  static final ByteBuf flowModBytes = bytes(ready, 1);
  static final ByteBuf packetInBytes = bytes(packetIn(), 1);
  static final ByteBuf stream = bytes(packetIn(), many);

  static ByteBuf bytes(OFMessage message, int times) {
    ByteBuf bytes = Unpooled.buffer(1 << 17);
    for (int i = 0; i < times; i++) message.writeTo(bytes);
    return bytes;
  }

  static OFMessage read(ByteBuf bytes) throws Exception {
    bytes.readerIndex(0);
    return reader.readFrom(bytes);
  }

  /** What a switch is programmed with: entries that differ, made of values and written one behind the other. */
  static void programme() {
    out.clear();
    for (int i = 0; i < many; i++) flowMod(i).writeTo(out);
    sink += out.writerIndex();
  }

  /** What a learning controller does with what it has read: takes it apart, and looks where which sender came in. */
  static void take() throws Exception {
    stream.readerIndex(0);
    for (int i = 0; i < many; i++) {
      OFPacketIn message = (OFPacketIn) reader.readFrom(stream);
      sink += message.getMatch().get(MatchField.IN_PORT).getPortNumber() + message.getData()[11];
    }
  }

  static void run(String what, int calls) throws Exception {
    switch (what) {
      case "encode_flow_mod" -> {
        for (int i = 0; i < calls; i++) {
          out.clear();
          ready.writeTo(out);
          sink += out.writerIndex();
        }
      }
      case "decode_flow_mod" -> {
        for (int i = 0; i < calls; i++) sink += read(flowModBytes).getXid();
      }
      case "decode_packet_in" -> {
        for (int i = 0; i < calls; i++) sink += read(packetInBytes).getXid();
      }
      case "programme" -> {
        for (int i = 0; i < calls; i++) programme();
      }
      case "take" -> {
        for (int i = 0; i < calls; i++) take();
      }
      default -> throw new IllegalArgumentException(what);
    }
  }

  static String hex(ByteBuf bytes) {
    byte[] copy = new byte[bytes.writerIndex()];
    bytes.getBytes(0, copy);
    return HexFormat.of().formatHex(copy);
  }

  public static void main(String[] args) throws Exception {
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    var system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    for (String line; (line = lines.readLine()) != null; ) {
      if (line.equals("hex")) {
        System.out.println(hex(flowModBytes) + " " + hex(packetInBytes));
        continue;
      }
      String[] words = line.split(" ");
      long before = system.getProcessCpuTime();
      run(words[0], Integer.parseInt(words[1]));
      System.out.println(system.getProcessCpuTime() - before);
    }
  }
}
