package peer;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** The job of benchmarks/peers/job.py on Kafka Streams: two stores in RocksDB with changelogs, exactly_once_v2. */
public final class Peer {
    static final ObjectMapper JSON = new ObjectMapper();
    static final long GAP_MS = 60_000L;
    static final long WARM_UP = Long.parseLong(env("JOB_WARM_UP"));
    static final long ALERTS = Long.parseLong(env("JOB_ALERTS"));
    static final long NEWS = Long.parseLong(env("JOB_NEWS"));
    static final AtomicLong FIRST = new AtomicLong();
    static final AtomicLong SECOND = new AtomicLong();

    public record Service(String owner, String tier, String hosting, String region, String domain) {}

    @JsonIgnoreProperties(ignoreUnknown = true)
    public record Alert(String status, Map<String, String> labels, Map<String, String> annotations,
                        String startsAt, String endsAt, String fingerprint) {}

    public record Flat(String fingerprint, String status, String alertname, String service, String cluster,
                       String namespace, String instance, String severity, String team, String summary,
                       String description, long at_ms,
                       String owner, String tier, String hosting, String region, String domain) {}

    public record Seen(long count, long first_ms, long last_ms, String status) {}

    public record Group(String id, long start_ms, long last_ms, long count) {}

    public record Change(String incident_id, String change, String domain, long count, long start_ms, long last_ms,
                         String fingerprint, String status, String service, String severity) {}

    static final class Dedupe implements Processor<byte[], Alert, String, Flat> {
        private final Map<String, Service> services;
        private ProcessorContext<String, Flat> context;
        private KeyValueStore<String, Seen> store;

        Dedupe(Map<String, Service> services) {
            this.services = services;
        }

        @Override
        public void init(ProcessorContext<String, Flat> given) {
            context = given;
            store = given.getStateStore("seen");
        }

        @Override
        public void process(Record<byte[], Alert> record) {
            Flat flat = flatten(record.value(), services);
            Seen known = store.get(flat.fingerprint());
            long at = flat.at_ms();
            store.put(flat.fingerprint(), known == null
                ? new Seen(1, at, at, flat.status())
                : new Seen(known.count() + 1, known.first_ms(), Math.max(known.last_ms(), at), flat.status()));
            if (known == null || !known.status().equals(flat.status())) {
                context.forward(record.withKey(flat.domain()).withValue(flat));
            }
            long handled = FIRST.incrementAndGet();
            if (handled == WARM_UP + 1) {
                say("FIRST");
            }
            done();
        }
    }

    static final class Correlate implements Processor<String, Flat, String, Change> {
        private ProcessorContext<String, Change> context;
        private KeyValueStore<String, Group> store;

        @Override
        public void init(ProcessorContext<String, Change> given) {
            context = given;
            store = given.getStateStore("groups");
        }

        @Override
        public void process(Record<String, Flat> record) {
            Flat flat = record.value();
            long at = flat.at_ms();
            Group known = store.get(flat.domain());
            boolean opened = known == null || at - known.last_ms() > GAP_MS;
            Group now = opened
                ? new Group(flat.domain() + "-" + at, at, at, 1)
                : new Group(known.id(), known.start_ms(), Math.max(known.last_ms(), at), known.count() + 1);
            store.put(flat.domain(), now);
            context.forward(record.withValue(new Change(now.id(), opened ? "opened" : "updated", flat.domain(),
                now.count(), now.start_ms(), now.last_ms(), flat.fingerprint(), flat.status(), flat.service(),
                flat.severity())));
            SECOND.incrementAndGet();
            done();
        }
    }

    static Flat flatten(Alert alert, Map<String, Service> services) {
        Map<String, String> labels = alert.labels();
        Service service = services.get(labels.get("service"));
        String when = alert.status().equals("firing") ? alert.startsAt() : alert.endsAt();
        return new Flat(alert.fingerprint(), alert.status(), labels.get("alertname"), labels.get("service"),
            labels.get("cluster"), labels.get("namespace"), labels.get("instance"), labels.get("severity"),
            labels.get("team"), alert.annotations().get("summary"), alert.annotations().get("description"),
            Instant.parse(when).toEpochMilli(), service.owner(), service.tier(), service.hosting(),
            service.region(), service.domain());
    }

    static void done() {
        if (FIRST.get() == ALERTS && SECOND.get() == NEWS) {
            say("DONE");
        }
    }

    static synchronized void say(String word) {
        Instant now = Instant.now();
        System.out.println(word + " " + FIRST + " " + SECOND + " " + (now.getEpochSecond() + now.getNano() / 1e9));
        System.out.flush();
    }

    static String env(String name) {
        return System.getenv(name);
    }

    static <T> Serde<T> json(Class<T> type) {
        return Serdes.serdeFrom((topic, value) -> {
            try {
                return value == null ? null : JSON.writeValueAsBytes(value);
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        }, (topic, bytes) -> {
            try {
                return bytes == null ? null : JSON.readValue(bytes, type);
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        });
    }

    /** Without a cache: with one it took a fifth more CPU, as few keys repeat within a commit. */
    static <T> StoreBuilder<KeyValueStore<String, T>> store(String name, Class<T> type) {
        return Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(name), Serdes.String(), json(type));
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, Service> services = JSON.readValue(new File(env("JOB_SERVICES")),
            JSON.getTypeFactory().constructMapType(HashMap.class, String.class, Service.class));
        StreamsBuilder builder = new StreamsBuilder();
        builder.addStateStore(store("seen", Seen.class)).addStateStore(store("groups", Group.class));
        builder.stream(env("JOB_SOURCE"), Consumed.with(Serdes.ByteArray(), json(Alert.class)))
            .process(() -> new Dedupe(services), "seen")
            .to(env("JOB_ACCEPTED"), Produced.with(Serdes.String(), json(Flat.class)));
        builder.stream(env("JOB_ACCEPTED"), Consumed.with(Serdes.String(), json(Flat.class)))
            .process(Correlate::new, "groups")
            .to(env("JOB_CHANGES"), Produced.with(Serdes.String(), json(Change.class)));

        Properties properties = new Properties();
        properties.put("application.id", env("JOB_GROUP"));
        properties.put("bootstrap.servers", env("JOB_BOOTSTRAP"));
        properties.put("processing.guarantee", "exactly_once_v2");
        properties.put("commit.interval.ms", env("JOB_COMMIT_MS"));
        properties.put("state.dir", env("JOB_STATE"));
        properties.put("replication.factor", "1");
        properties.put("auto.offset.reset", "earliest");
        KafkaStreams streams = new KafkaStreams(builder.build(), properties);
        CountDownLatch stopped = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            streams.close(Duration.ofSeconds(10));
            stopped.countDown();
        }));
        streams.start();
        stopped.await();
    }
}
