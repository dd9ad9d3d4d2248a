registerProcessor("modelgateway-recorder", class extends AudioWorkletProcessor {
  constructor({ processorOptions }) {
    super();
    this.samples = new Int16Array(processorOptions.frame);
    this.length = 0;
    this.energy = 0;
    this.ended = false;
    this.port.onmessage = () => {
      this.send();
      this.port.postMessage({});
      this.ended = true;
    };
  }
  send() {
    if (this.length === 0) return;
    const samples = this.samples.slice(0, this.length);
    this.port.postMessage({ samples, level: Math.sqrt(this.energy / this.length) }, [samples.buffer]);
    this.length = 0;
    this.energy = 0;
  }
  process([input]) {
    if (this.ended) return false;
    for (const value of input[0] ?? []) {
      const clipped = Math.max(-1, Math.min(1, value));
      this.energy += clipped * clipped;
      this.samples[this.length++] = Math.round(clipped * 32767);
      if (this.length === this.samples.length) this.send();
    }
    return true;
  }
});
