// Compile.java - for java: code that is compiled while it runs (this file, too), threads, collected garbage, memory that is
// not the collector's, a recursion that overflows the stack, a child process.
import java.io.ByteArrayOutputStream;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.IntUnaryOperator;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

public class Compile {
    static int depth;

    static void deeper() {
        depth++;
        deeper();
    }

    static long garbage(int seed) {
        Map<String, List<byte[]>> map = new HashMap<>();
        long sum = 0;
        for (int i = 0; i < 40000; i++) {
            map.computeIfAbsent("key " + (i * seed) % 811, key -> new ArrayList<>()).add(new byte[i % 1500]);
            if (i % 5000 == 0)
                map.clear();
            sum += map.size();
        }
        return sum;
    }

    /** Implicit null checks and bounds, which compiled code answers by signals. */
    static int faults() {
        int caught = 0;
        int[] none = null, some = new int[3];
        for (int i = 0; i < 50000; i++) {
            try {
                caught += i % 3 == 0 ? none.length : some[i % 5];
            } catch (NullPointerException | ArrayIndexOutOfBoundsException error) {
                caught++;
            }
        }
        return caught;
    }

    static int outside() throws Exception {
        byte[] text = "text that repeats ".repeat(20000).getBytes(), back = new byte[text.length];
        int length = 0;
        for (int i = 0; i < 20; i++) {
            Deflater deflater = new Deflater(i % 9 + 1);
            deflater.setInput(text);
            deflater.finish();
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            byte[] part = new byte[8192];
            while (!deflater.finished())
                out.write(part, 0, deflater.deflate(part));
            deflater.end();
            Inflater inflater = new Inflater();
            inflater.setInput(out.toByteArray());
            length += inflater.inflate(back);
            inflater.end();
            ByteBuffer direct = ByteBuffer.allocateDirect(100000 + i);
            direct.putInt(0, i);
            length += direct.getInt(0);
        }
        return length;
    }

    interface Shape {
        int area(int side);
    }

    static int dynamic() throws Throwable {
        Shape shape = (Shape)Proxy.newProxyInstance(Compile.class.getClassLoader(), new Class<?>[] {Shape.class},
                                                    (self, method, arguments) -> (Integer)arguments[0] * 3);
        var max = MethodHandles.lookup().findStatic(Math.class, "max", MethodType.methodType(int.class, int.class, int.class));
        int sum = 0;
        for (int i = 0; i < 20000; i++) {
            IntUnaryOperator twice = x -> x * 2;
            sum += shape.area(i) + twice.applyAsInt(i) + (int)max.invokeExact(i, 100);
        }
        return sum;
    }

    public static void main(String[] words) throws Throwable {
        var pool = Executors.newFixedThreadPool(4);
        List<Callable<Long>> tasks = new ArrayList<>();
        for (int i = 1; i <= 8; i++) {
            int seed = i;
            tasks.add(() -> garbage(seed));
        }
        long sum = 0;
        for (Future<Long> result : pool.invokeAll(tasks))
            sum += result.get();
        pool.shutdown();
        System.out.println(sum + " " + faults() + " " + outside() + " " + dynamic());

        Thread deep = new Thread(null, () -> {
            try {
                deeper();
            } catch (StackOverflowError error) {
                System.out.println("overflow: " + (depth > 1000));
            }
        }, "deep", 512 * 1024);
        deep.start();
        deep.join();
        for (int i = 0; i < 200; i++) {
            Thread brief = new Thread(() -> new byte[1000].clone());
            brief.start();
            brief.join();
        }
        System.gc();
        System.out.println(IntStream.range(0, 100000).parallel().mapToObj(Integer::toString)
                               .filter(text -> Pattern.matches(".*(\\d)\\1.*", text)).count());
        System.out.println(HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(new byte[1000000])));
        Process child = new ProcessBuilder("/bin/sh", "-c", "echo a child; exit 3").inheritIO().start();
        System.out.println(child.waitFor() + " " + Files.exists(Path.of("/proc/self")));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("a hook")));
        System.exit(7);
    }
}
